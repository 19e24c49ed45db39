import { z } from 'zod';
import { isStorable } from '../database/storable-text.js';

/** Text that PostgreSQL can hold and compare. */
export const plainText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, { error: 'contains NUL or half a character' });
