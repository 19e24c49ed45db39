import type { EntityManager } from 'typeorm';

/** What WeChat proved of a person who is not known yet. */
export interface SignUp {
  readonly provider: string;
  readonly appid: string;
  readonly openid: string;
  readonly unionid: string | null;
  readonly nickname: string | null;
  readonly avatarUrl: string | null;
}

/** What a host may say of a new person: nothing, or how the user starts. */
export interface SignUpDecision {
  /** Refuses the sign-up; the sign-in ends with `sign_up_refused`. */
  readonly refuse?: boolean;
  /** The id under which the host knows this user. */
  readonly externalId?: string;
  readonly nickname?: string;
}

/** What a completed sign-in was. */
export interface SignIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly clientId: string;
  readonly provider: string;
  readonly isNewUser: boolean;
}

/** Extension points of a host; every method is optional. */
export interface IamHooks {
  /** Runs before a user is created, outside any transaction; may be called again when two sign-ups race. */
  beforeSignUp?(signUp: SignUp): Promise<SignUpDecision | undefined> | SignUpDecision | undefined;
  /** Runs after a session has begun; an error in it is logged and changes nothing. */
  afterSignIn?(signIn: SignIn): Promise<void> | void;
  /** Runs in the transaction of a merge, so that the host re-parents its own rows or, by throwing, prevents it. */
  onMerge?(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> | void;
  /**
   * Runs in the transaction of an erasure, before anything is removed, so that the host removes its own rows about the
   * user or, by throwing, prevents the erasure. May run again when the transaction is repeated, or the day is tried again.
   */
  onErase?(userId: string, manager: EntityManager): Promise<void> | void;
}
