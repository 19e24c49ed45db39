import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/zod.pipe.js';
import { failureOf } from '../http/to-iam-error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { UserSessions, actingSession } from '../sessions/user-sessions.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { UserIdentities } from '../users/user-identities.service.js';
import { toIdentityView } from './identity-view.js';

const end_other_sessions = z
  .boolean()
  .default(false)
  .meta({ description: 'Also ends every other session of the user' });

const byBindingToken = z.strictObject({
  binding_token: z
    .string()
    .min(1)
    .max(256)
    .meta({ description: 'Of the same client, in the browser that signed in with WeChat' }),
  end_other_sessions,
});
const byAppCode = z.strictObject({
  provider: z.string().min(1).max(63),
  app: z.enum(['mini', 'mobile']),
  code: z.string().min(1).max(512),
  end_other_sessions,
});

/** The two proofs of another identity that need no redirect. */
export const linkBody = z.union([byBindingToken, byAppCode]);

/**
 * `POST /me/identities`. The other sessions stay unless the caller wants them ended: every session began by an identity
 * that is the user's already, so a link hands the account over to nobody (security 63).
 */
@Injectable()
export class LinkIdentity {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly links: IdentityLinks,
    private readonly codes: AppCodes,
    private readonly identities: UserIdentities,
    private readonly sessions: UserSessions,
    private readonly attempts: AttemptCookies,
    private readonly failures: FailureLimits,
  ) {}

  /** 201 for an identity that was nobody's, 200 for one that is the user's own already. @throws IamError `identity_conflict`, … */
  async link({ body, origin, cookies }: IamRequest, user: AuthenticatedUser): Promise<IamResponse> {
    const asked = parseInput(linkBody, body);
    const link = actingSession(user);
    const { clientId } = user;
    const holdsAttempt = (hash: string) => this.attempts.holds(hash, cookies);
    const { id, isNew } =
      'binding_token' in asked
        ? await this.failures.guard({ origin, at: 'binding_token', clientId }, { ofThrown: failureOf }, () =>
            this.links.redeem({ bindingToken: asked.binding_token, link, clientId, holdsAttempt }),
          )
        : await this.codes.link({ ...asked, kind: asked.app, clientId }, link, origin);
    if (asked.end_other_sessions)
      await inTransaction(this.dataSource, (manager) =>
        this.sessions.endOthers(manager, link, 'identity_linked'),
      );
    const identity = await this.identities.get(user.id, id);
    return json(toIdentityView(identity), isNew ? 201 : 200);
  }
}
