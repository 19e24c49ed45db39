import type { EntityManager } from 'typeorm';
import type { IamHooks, MatchedUser, SignIn, SignUp, SignUpDecision } from '../../src/index.js';

/** Every hook is optional. */
export const noHooks: IamHooks = {};

/** Hooks may be synchronous, and may say nothing. */
export class PlainHooks implements IamHooks {
  matchUser({ phoneNumber }: SignUp): MatchedUser | undefined {
    return phoneNumber === '+8613800138000' ? { userId: '0198c0de-0000-7000-8000-000000000001' } : undefined;
  }

  beforeSignUp({ nickname }: SignUp): SignUpDecision | undefined {
    return nickname === null ? { refuse: true } : undefined;
  }

  afterSignIn(): void {
    // Nothing to tell.
  }

  onMerge(): void {
    // Nothing to move.
  }

  onErase(): void {
    // Nothing to remove.
  }
}

/** Or take their time, and all that they are told. */
export class AsyncHooks implements IamHooks {
  async matchUser({ phoneNumber }: SignUp): Promise<MatchedUser | undefined> {
    return phoneNumber === null ? undefined : { externalId: phoneNumber };
  }

  async beforeSignUp(signUp: SignUp): Promise<SignUpDecision | undefined> {
    const { provider, appid, openid, unionid, avatarUrl } = signUp;
    return {
      externalId: [provider, appid, openid, unionid ?? '', avatarUrl ?? ''].join(':'),
      nickname: 'new',
    };
  }

  async afterSignIn({ userId, sessionId, clientId, provider, isNewUser }: SignIn): Promise<void> {
    await Promise.resolve({ userId, sessionId, clientId, provider, isNewUser });
  }

  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await manager.query('UPDATE orders SET user_id = $2 WHERE user_id = $1', [fromUserId, toUserId]);
  }

  async onErase(userId: string, manager: EntityManager): Promise<void> {
    await manager.query('DELETE FROM orders WHERE user_id = $1', [userId]);
  }
}

/** What they are told is not theirs to change. */
export class MeddlingHooks implements IamHooks {
  beforeSignUp(signUp: SignUp): undefined {
    // @ts-expect-error what WeChat proved is read-only
    signUp.openid = 'o-somebody-else';
  }
}

export class WrongHooks implements IamHooks {
  // @ts-expect-error a match names one account
  matchUser(): { readonly phoneNumber: string } {
    return { phoneNumber: '+8613800138000' };
  }

  // @ts-expect-error a decision has no roles
  beforeSignUp(): { readonly roles: string[] } {
    return { roles: ['admin'] };
  }
}
