import { Inject, Injectable } from '@nestjs/common';
import { FollowCollect } from '../follow/follow-collect.service.js';
import { json, type Answer } from '../http/answer.js';
import type { IamRequest } from '../http/iam-request.js';
import { HookRunner } from '../hooks/hook-runner.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { Redemption, type BegunSession } from '../logins/redemption.service.js';
import { AccessTokens, type AccessTokenClaims } from '../sessions/access-tokens.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { AppCodeGrant } from './app-code-grant.service.js';
import { Clients } from './clients.service.js';
import { parseTokenRequest, type TokenRequest } from './token-request.js';

type RequestOf<G extends TokenRequest['grant_type']> = Extract<TokenRequest, { grant_type: G }>;

/** `POST /token`: every grant ends here, with the same checks and the same answer. */
@Injectable()
export class Token {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clients: Clients,
    private readonly redemption: Redemption,
    private readonly collect: FollowCollect,
    private readonly appCodes: AppCodeGrant,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly hooks: HookRunner,
  ) {}

  async grant(request: IamRequest): Promise<Answer> {
    const asked = parseTokenRequest(request.body);
    this.clients.authenticate(asked.client_id);
    switch (asked.grant_type) {
      case 'authorization_code':
        return this.fromCode(asked, request);
      case 'refresh_token':
        return this.fromRefreshToken(asked, request);
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return this.begin(await this.collect.collect(asked.device_code, asked.client_id, request.origin));
      case 'urn:wechat:grant:mini_program':
        return this.fromAppCode('mini', asked, request);
      case 'urn:wechat:grant:mobile_app':
        return this.fromAppCode('mobile', asked, request);
    }
  }

  private async fromCode(asked: RequestOf<'authorization_code'>, request: IamRequest): Promise<Answer> {
    const session = await this.redemption.redeemCode(
      {
        code: asked.code,
        clientId: asked.client_id,
        redirectUri: asked.redirect_uri,
        codeVerifier: asked.code_verifier,
      },
      request.origin,
    );
    return this.begin(session);
  }

  private async fromAppCode(
    kind: 'mini' | 'mobile',
    { provider, client_id: clientId, code }: { provider: string; client_id: string; code: string },
    { origin }: IamRequest,
  ): Promise<Answer> {
    return this.begin(await this.appCodes.grant({ kind, provider, clientId, code }, origin));
  }

  private async fromRefreshToken(asked: RequestOf<'refresh_token'>, request: IamRequest): Promise<Answer> {
    const session = await this.sessions.refresh(asked.refresh_token, {
      clientId: asked.client_id,
      sessionsOf: [asked.client_id],
      origin: request.origin,
    });
    return this.tokens(session, session.refreshToken);
  }

  private async begin(session: BegunSession): Promise<Answer> {
    await this.hooks.afterSignIn(session);
    return this.tokens(session, this.sessions.firstRefreshToken(session.sessionId));
  }

  /** RFC 6749 §5.1. */
  private async tokens(claims: AccessTokenClaims, refreshToken: string): Promise<Answer> {
    return json(
      {
        access_token: await this.accessTokens.issue(claims),
        token_type: 'Bearer',
        expires_in: this.options.tokens.accessToken,
        refresh_token: refreshToken,
      },
      200,
      { Pragma: 'no-cache' },
    );
  }
}
