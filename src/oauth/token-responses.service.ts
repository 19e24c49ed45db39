import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import {
  IAM_OPTIONS,
  type ResolvedIamClient,
  type ResolvedIamOptions,
} from '../config/iam.resolved-options.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { Sessions, type RefreshedSession } from '../sessions/sessions.service.js';
import { Clients } from './clients.service.js';

/** The answer of `/token` to a grant that succeeded, as the client wants its tokens. */
@Injectable()
export class TokenResponses {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clients: Clients,
    private readonly accessTokens: AccessTokens,
    private readonly sessions: Sessions,
    private readonly cookies: SessionCookies,
    private readonly clock: Clock,
  ) {}

  /** RFC 6749 §5.1; to a cookie client the same without the tokens, which no script may see. */
  async answer(
    session: RefreshedSession,
    client: ResolvedIamClient,
    request: IamRequest,
  ): Promise<IamResponse> {
    const { refreshToken } = session;
    const accessToken = await this.accessTokens.issue(session);
    const expires_in = this.options.tokens.accessToken;
    if (client.tokens === 'bearer')
      return tokenResponse({
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in,
        refresh_token: refreshToken,
      });
    await this.endEarlier(session.sessionId, client, request);
    const cookies = this.cookies.write({
      accessToken,
      refreshToken,
      maxAge: this.remainingLifetime(session),
    });
    return { ...tokenResponse({ token_type: NOT_APPLICABLE, expires_in }), cookies };
  }

  /** A browser has one session: what it had before is neither left alive nor gone on with (session fixation). */
  private async endEarlier(sessionId: string, client: ResolvedIamClient, request: IamRequest): Promise<void> {
    const earlier = await this.cookies.findSessionId(request);
    if (earlier === null || earlier === sessionId) return;
    await this.sessions.end(earlier, 'replaced', this.clients.callerOf(client));
  }

  /** Seconds until the session ends if it is not refreshed again. */
  private remainingLifetime({ signedInAt }: RefreshedSession): number {
    const { idle, absolute } = this.options.tokens;
    const age = Math.floor((this.clock.now() - signedInAt.getTime()) / 1000);
    return Math.max(1, Math.min(idle, absolute - age));
  }
}

/** There is nothing to send along as a token (RFC 8693 §2.2.1). */
const NOT_APPLICABLE = 'N_A';

function tokenResponse(body: Readonly<Record<string, string | number>>): IamResponse {
  return json(body, 200, { Pragma: 'no-cache' });
}
