import { Injectable } from '@nestjs/common';
import { DeviceCodeGrant } from '../follow-login/collect.service.js';
import type { IamResponse } from '../http/iam-response.js';
import { oauthError } from '../http/error-responses.js';
import type { IamRequest } from '../http/iam-request.js';
import { logFailure } from '../http/log-failure.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import type { SignIn } from '../config/iam.hooks.js';
import type { ResolvedIamClient } from '../config/iam.resolved-options.js';
import { Redemption, type BegunSession } from '../sign-in/redemption.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { inSpan } from '../runtime/telemetry.service.js';
import { Clients } from './clients.service.js';
import { TokenResponses } from './token-responses.service.js';
import { parseTokenRequest, type TokenRequest } from './token-request.js';

type RequestOf<G extends TokenRequest['grant_type']> = Extract<TokenRequest, { grant_type: G }>;

/** Who asks, and with which request. */
interface Asker {
  readonly client: ResolvedIamClient;
  readonly request: IamRequest;
}

/** `POST /token`: every grant ends here, with the same checks and the same answer. */
@Injectable()
export class Token {
  private readonly logger = new IamLogger('IamErrors');

  constructor(
    private readonly clients: Clients,
    private readonly origins: TrustedOrigins,
    private readonly redemption: Redemption,
    private readonly collect: DeviceCodeGrant,
    private readonly appCodes: AppCodes,
    private readonly sessions: Sessions,
    private readonly cookies: SessionCookies,
    private readonly answers: TokenResponses,
    private readonly hooks: HookRunner,
    private readonly failures: FailureLimits,
  ) {}

  /** A cookie client is asked where it comes from: else any page could sign its visitor in as somebody else. */
  async grant(request: IamRequest): Promise<IamResponse> {
    const asked = parseTokenRequest(request.body);
    const client = this.clients.authenticate(asked.client_id);
    if (client.tokens === 'cookie') this.origins.checkWrite(request);
    return inSpan('iam.token', { 'oauth.grant_type': asked.grant_type }, () =>
      this.answer(asked, { client, request }),
    );
  }

  private async answer(asked: TokenRequest, asker: Asker): Promise<IamResponse> {
    const { client, request } = asker;
    switch (asked.grant_type) {
      case 'authorization_code':
        this.checkForgery(this.redemption.isOurs(asked.code), request);
        return this.begin(await this.fromCode(asked, request), asker);
      case 'refresh_token':
        return client.tokens === 'cookie'
          ? this.fromCookie(asked, asker)
          : this.refresh(asked.refresh_token, asker);
      case 'urn:ietf:params:oauth:grant-type:device_code':
        this.checkForgery(this.collect.isOurs(asked.device_code), request);
        return this.begin(await this.collect.collect(asked.device_code, client.id, request.origin), asker);
      case 'urn:wechat:grant:mini_program':
        return this.begin(await this.fromAppCode('mini', asked, request), asker);
      case 'urn:wechat:grant:mobile_app':
        return this.begin(await this.fromAppCode('mobile', asked, request), asker);
    }
  }

  /** What we never issued is refused for sure; after too many of one address that is not even said. */
  private checkForgery(isOurs: boolean, { origin }: IamRequest): void {
    if (!isOurs) this.failures.countForgery(origin);
  }

  private fromCode(asked: RequestOf<'authorization_code'>, { origin }: IamRequest): Promise<BegunSession> {
    const { code, client_id: clientId, redirect_uri: redirectUri, code_verifier: codeVerifier } = asked;
    return this.redemption.redeemCode({ code, clientId, redirectUri, codeVerifier }, origin);
  }

  private fromAppCode(
    kind: 'mini' | 'mobile',
    { provider, client_id: clientId, code }: { provider: string; client_id: string; code: string },
    { origin }: IamRequest,
  ): Promise<BegunSession> {
    return this.appCodes.signIn({ kind, provider, clientId, code }, origin);
  }

  /** A session that is over leaves no cookies behind. */
  private async fromCookie(asked: RequestOf<'refresh_token'>, asker: Asker): Promise<IamResponse> {
    try {
      const token = asked.refresh_token ?? this.cookies.findRefreshToken(asker.request);
      if (token === null) throw new IamError('invalid_grant', 'this browser has no session');
      return await this.refresh(token, asker);
    } catch (error) {
      if (!(error instanceof IamError) || error.code !== 'invalid_grant') throw error;
      logFailure(this.logger, error);
      return { ...oauthError(error, 'token'), cookies: this.cookies.clear() };
    }
  }

  private async refresh(token: string | undefined, { client, request }: Asker): Promise<IamResponse> {
    if (token === undefined) throw new IamError('invalid_request', 'refresh_token: missing');
    this.checkForgery(this.sessions.findSessionId(token) !== null, request);
    const session = await this.sessions.refresh(token, this.clients.callerOf(client));
    return this.answers.answer(session, client, request);
  }

  private async begin(session: BegunSession, { client, request }: Asker): Promise<IamResponse> {
    const { sessionId, generation, isRepeated } = session;
    if (!isRepeated) await this.hooks.afterSignIn(signInOf(session));
    const refreshToken = this.sessions.refreshTokenOf({ sessionId, generation });
    return this.answers.answer({ ...session, refreshToken }, client, request);
  }
}

function signInOf({ userId, sessionId, clientId, provider, isNewUser }: BegunSession): SignIn {
  return { userId, sessionId, clientId, provider, isNewUser };
}
