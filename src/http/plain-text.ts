import { z } from 'zod';

/** Text that PostgreSQL can hold and compare: no NUL, no lone surrogate. */
export const plainText = (max: number) =>
  z.string().min(1).max(max).refine(isPlain, { error: 'contains NUL or half a character' });

/** True for text that PostgreSQL can hold. */
export function isPlain(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text);
}
