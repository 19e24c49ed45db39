import type { FollowLogin } from './follow-login.js';

/** What a typed number is. */
export type Judgement = 'confirmed' | 'wrong' | 'denied';

/** What a typed number did; `over`: the login that it was typed for has ended by itself. */
export type UserCodeResult = Judgement | 'over';

/** A typed number and the login it was typed for. */
export interface EnteredUserCode {
  /** Null when the delivery is a repetition and the login waits no more. */
  readonly loginId: string | null;
  readonly outcome: UserCodeResult;
  /** It was to link an identity, not to sign in. */
  readonly isLink: boolean;
}

/** Wrong numbers that end a login. */
export const NUMBER_TRIES = 3;
/** Digits of the number that the PC shows. */
export const NUMBER_DIGITS = 4;
/** More digits are a telephone number or an order, and meant for somebody else. */
const MOST_DIGITS = 8;

/**
 * The digits of a number as people type it: in full width, with spaces between, with a full stop behind. Null for a text that
 * has anything else in it.
 */
export function readTypedNumber(text: string): string | null {
  const digits = text.normalize('NFKC').replace(/[\p{P}\p{S}\p{Z}\p{C}\p{M}]/gu, '');
  return /^[0-9]+$/.test(digits) && digits.length <= MOST_DIGITS ? digits : null;
}

/** Compares a typed number with the one that the PC shows; the last wrong one ends the login. */
export function checkUserCode(
  { user_code, number_tries }: Pick<FollowLogin, 'user_code' | 'number_tries'>,
  digits: string,
): Judgement {
  if (digits === user_code) return 'confirmed';
  return number_tries + 1 >= NUMBER_TRIES ? 'denied' : 'wrong';
}
