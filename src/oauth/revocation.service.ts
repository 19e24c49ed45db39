import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { empty, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseOAuthInput } from './oauth-input.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { IamError } from '../errors/iam.error.js';
import type { ResolvedIamClient } from '../config/iam.resolved-options.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { Clients } from './clients.service.js';

/** The body of `POST /revoke` (RFC 7009 §2.1). */
export const revocationBody = z.object({
  client_id: z.string().min(1).max(128),
  /** A cookie client leaves it out: its cookies say which session ends. */
  token: z.string().min(1).max(4096).optional(),
});

/**
 * `POST /revoke` (RFC 7009): either token ends the whole session. An unknown token is answered like a known one; one of another
 * client is refused (§2.1).
 */
@Injectable()
export class Revocation {
  constructor(
    private readonly clients: Clients,
    private readonly origins: TrustedOrigins,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly cookies: SessionCookies,
    private readonly failures: FailureLimits,
  ) {}

  async revoke(request: IamRequest): Promise<IamResponse> {
    const { client_id, token } = parseOAuthInput(revocationBody, request.body);
    const client = this.clients.authenticate(client_id);
    if (token !== undefined) return this.end(await this.sessionOf(token, request), client);
    if (client.tokens === 'bearer') throw new IamError('invalid_request', 'token: missing');
    return this.signOut(client, request);
  }

  /** The same answer however often, and whether or not there was a session. */
  private async signOut(client: ResolvedIamClient, request: IamRequest): Promise<IamResponse> {
    this.origins.checkWrite(request);
    const answer = await this.end(await this.cookies.findSessionId(request), client);
    return { ...answer, cookies: this.cookies.clear() };
  }

  private async end(sessionId: string | null, client: ResolvedIamClient): Promise<IamResponse> {
    const isOwn =
      sessionId === null || (await this.sessions.end(sessionId, 'revoked', this.clients.callerOf(client)));
    if (!isOwn) throw new IamError('invalid_grant', 'the token was issued to another client');
    return empty(200);
  }

  private async sessionOf(token: string, { origin }: IamRequest): Promise<string | null> {
    const sessionId = this.sessions.findSessionId(token) ?? (await this.accessTokens.findSessionId(token));
    if (sessionId === null) this.failures.countForgery(origin);
    return sessionId;
  }
}
