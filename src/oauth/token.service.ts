import { Injectable } from '@nestjs/common';
import type { IamResponse } from '../http/iam-response.js';
import { oauthError, logFailure } from '../http/error-responses.js';
import type { IamRequest } from '../http/iam-request.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import type { SignIn } from '../config/iam.hooks.js';
import type { BegunSession } from '../sign-in/redemption.service.js';
import { Sessions, type RefreshedSession } from '../sessions/sessions.service.js';
import { inSpan } from '../runtime/telemetry.service.js';
import { Clients } from './clients.service.js';
import { TokenResponses } from './token-responses.service.js';
import { TokenGrants, type GrantCaller, type GrantRequest } from './registration.js';

/** `POST /token`: every grant passes here, with the same checks and the same response. */
@Injectable()
export class Token {
  private readonly logger = new IamLogger('IamErrors');

  constructor(
    private readonly grants: TokenGrants,
    private readonly clients: Clients,
    private readonly origins: TrustedOrigins,
    private readonly sessions: Sessions,
    private readonly cookies: SessionCookies,
    private readonly responses: TokenResponses,
    private readonly hooks: HookRunner,
  ) {}

  /** A cookie client shows its origin: without that, any page could sign its visitor in as somebody else. */
  async grant(request: IamRequest): Promise<IamResponse> {
    const grant = this.grants.read(request.body);
    const client = this.clients.authenticate(grant.clientId);
    if (client.tokens === 'cookie') this.origins.checkWrite(request);
    return inSpan('iam.token', { 'oauth.grant_type': grant.type }, () =>
      this.respond(grant, { client, request }),
    );
  }

  private async respond(grant: GrantRequest, caller: GrantCaller): Promise<IamResponse> {
    try {
      const session = await grant.redeem(caller);
      const refreshed = 'refreshToken' in session ? session : await this.begin(session);
      return await this.responses.answer(refreshed, caller.client, caller.request);
    } catch (error) {
      if (!endsCookies(error, grant, caller)) throw error;
      logFailure(this.logger, error);
      return { ...oauthError(error, 'token'), cookies: this.cookies.clear() };
    }
  }

  private async begin(session: BegunSession): Promise<RefreshedSession> {
    const { sessionId, generation, isRepeated } = session;
    if (!isRepeated) await this.hooks.afterSignIn(signInOf(session));
    return { ...session, refreshToken: this.sessions.refreshTokenOf({ sessionId, generation }) };
  }
}

/** A session that is over leaves no cookies behind. */
function endsCookies(error: unknown, { type }: GrantRequest, { client }: GrantCaller): error is IamError {
  const isOver = error instanceof IamError && error.code === 'invalid_grant';
  return isOver && type === 'refresh_token' && client.tokens === 'cookie';
}

function signInOf({ userId, sessionId, clientId, provider, isNewUser }: BegunSession): SignIn {
  return { userId, sessionId, clientId, provider, isNewUser };
}
