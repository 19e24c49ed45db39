import { z } from 'zod';

/** True for text that PostgreSQL keeps as it is: no NUL, which it refuses, and no lone surrogate, which arrives as another character. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text);
}

/** Text that PostgreSQL can hold and compare, of at most `max` UTF-16 units. */
export const plainText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, { error: 'contains NUL or half a character' });
