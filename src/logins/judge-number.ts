import type { FollowLogin } from './follow-login.js';

/** What a typed number did. */
export type NumberOutcome = 'confirmed' | 'wrong' | 'denied';

/** A typed number and the login it was typed for. */
export interface AnsweredNumber {
  /** Null when the delivery is a repetition and the login waits no more. */
  readonly loginId: string | null;
  readonly outcome: NumberOutcome;
  /** It was to link an identity, not to sign in. */
  readonly isLink: boolean;
}

/** Wrong numbers that end a login. */
export const NUMBER_TRIES = 3;

/** Compares a typed number with the one that the PC shows; the last wrong one ends the login. */
export function judgeNumber(
  { user_code, number_tries }: Pick<FollowLogin, 'user_code' | 'number_tries'>,
  text: string,
): NumberOutcome {
  if (text === user_code) return 'confirmed';
  return number_tries + 1 >= NUMBER_TRIES ? 'denied' : 'wrong';
}
