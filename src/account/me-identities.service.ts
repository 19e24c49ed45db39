import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { inTransaction } from '../database/sql.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import { failureOf } from '../http/to-iam-error.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { actingSession, UserSessions } from '../sessions/user-sessions.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { UserIdentities, type UserIdentity } from '../users/user-identities.service.js';

/** The two proofs of another identity that need no redirect. */
export type IdentityProof =
  | { readonly binding_token: string }
  | { readonly provider: string; readonly app: 'mini' | 'mobile'; readonly code: string };

/** Where a proof comes from. */
export interface ProofSource {
  readonly origin: RequestOrigin;
  /** Whether the browser carries the attempt with this hash of its state. */
  readonly holdsAttempt: (hash: string) => boolean;
}

interface SessionOptions {
  readonly endOtherSessions: boolean;
}

/** How signed-in users add and remove the WeChat identities by which they sign in. */
@Injectable()
export class MeIdentities {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly links: IdentityLinks,
    private readonly codes: AppCodes,
    private readonly identities: UserIdentities,
    private readonly sessions: UserSessions,
    private readonly failures: FailureLimits,
    private readonly signOut: SignOut,
  ) {}

  /**
   * The other sessions stay by default: each began by an identity that is the user's already, so a link hands the account
   * over to no other person (security 63).
   * @throws IamError `identity_conflict`, …
   */
  async link(
    proof: IdentityProof,
    user: AuthenticatedUser,
    { endOtherSessions, ...source }: ProofSource & SessionOptions,
  ): Promise<{ identity: UserIdentity; isNew: boolean }> {
    const { id, isNew } = await this.redeem(proof, user, source);
    const acting = actingSession(user);
    if (endOtherSessions)
      await inTransaction(this.dataSource, (manager) =>
        this.sessions.endOthers(manager, acting, 'identity_linked'),
      );
    return { identity: await this.identities.get(user.id, id), isNew };
  }

  /**
   * Ends sessions and open sign-ins that began by the identity, perhaps also this session.
   * @throws IamError `not_found`, `last_identity`, `invalid_token` or `user_disabled`
   */
  async unlink(
    id: string,
    user: AuthenticatedUser,
    { endOtherSessions }: SessionOptions,
  ): Promise<{ id: string; rejoins: boolean }> {
    const acting = actingSession(user);
    return this.sessions.act(acting, async (manager) => {
      const { rejoins } = await this.signOut.unlink(manager, acting.userId, id);
      if (endOtherSessions) await this.sessions.endOthers(manager, acting, 'identity_unlinked');
      return { id, rejoins };
    });
  }

  private redeem(proof: IdentityProof, user: AuthenticatedUser, { origin, holdsAttempt }: ProofSource) {
    const { clientId } = user;
    const link = actingSession(user);
    if (!('binding_token' in proof))
      return this.codes.link({ ...proof, kind: proof.app, clientId }, link, origin);
    const by = { origin, at: 'binding_token', clientId };
    return this.failures.guard(by, { ofThrown: failureOf }, () =>
      this.links.redeem({ bindingToken: proof.binding_token, link, clientId, holdsAttempt }),
    );
  }
}
