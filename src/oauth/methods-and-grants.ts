import { Inject } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { isPkceVerifier } from '../crypto/hash.js';
import { Forgeries } from '../database/forgeries.service.js';
import { type IamErrorCode, IamError } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { Browser } from '../http/user-agent.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { ServiceTokenClaims } from '../sessions/access-tokens.service.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { Sessions, type RefreshedSession } from '../sessions/sessions.service.js';
import { AppCodes, phoneCode as phoneCodeSchema, type AppCodeKind } from '../sign-in/app-codes.service.js';
import { CodeExchange, redirectAppOf } from '../sign-in/code-exchange.service.js';
import { Redemption, type BegunSession } from '../sign-in/redemption.service.js';
import { wxLoginParameters } from '../wechat/authorize-url.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { Clients } from './clients/clients.service.js';
import { grantScope } from './openid/scopes.js';
import { SignInMethod, type StartedAttempt, TokenGrant, type GrantCaller } from './registration.js';

/** The QR code of the Open Platform, for a PC. */
@SignInMethod('open')
export class OpenMethod implements SignInMethod {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly codes: CodeExchange,
    private readonly urls: IamUrls,
  ) {}

  appOf({ open }: IdentityProvider): WechatApp | null {
    return open;
  }

  isOffered({ qr }: IdentityProvider, { kind }: Browser): boolean {
    return kind === 'pc' && !qr.enabled;
  }

  problemOf({ open, qr }: IdentityProvider, hasFollowed: boolean): IamErrorCode | null {
    if (open === null) return 'wechat_open_not_configured';
    return qr.enabled && qr.with === 'follow' && !hasFollowed ? 'follow_required' : null;
  }

  location(started: StartedAttempt): string {
    return wechatUrl(this.codes, 'open', started);
  }

  widget({ attempt: { appid, state, provider } }: StartedAttempt): Readonly<Record<string, string | number>> {
    const parameters = wxLoginParameters({ appid, state, redirectUri: this.urls.callback(provider) });
    return { ...parameters, expires_in: this.options.loginLifetime };
  }
}

/** Official Account OAuth, inside WeChat. */
@SignInMethod('mp')
export class MpMethod implements SignInMethod {
  constructor(private readonly codes: CodeExchange) {}

  appOf({ mp }: IdentityProvider): WechatApp | null {
    return mp;
  }

  isOffered(_provider: IdentityProvider, { kind }: Browser): boolean {
    return kind === 'wechat';
  }

  problemOf({ mp }: IdentityProvider): IamErrorCode | null {
    return mp === null ? 'wechat_mp_not_configured' : null;
  }

  location(started: StartedAttempt): string {
    return wechatUrl(this.codes, 'mp', started);
  }
}

function wechatUrl(
  codes: CodeExchange,
  method: 'open' | 'mp',
  { provider, attempt: { appid, state }, language }: StartedAttempt,
): string {
  const lang = language === 'en' ? 'en' : 'zh_CN';
  return codes.authorizeUrl(redirectAppOf(provider, { method, appid }), { state, lang });
}

const scopeParameter = z.string().optional();

type Of<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>;

const codeParameters = {
  code: z.string().min(1).max(512),
  redirect_uri: z.string().max(2048).optional(),
  code_verifier: z
    .string()
    .refine(isPkceVerifier, { error: '43 to 128 unreserved characters (RFC 7636 §4.1)' })
    .optional()
    .meta({
      description: 'Required, unless a confidential application sent a `nonce` and no `code_challenge`',
    }),
};

/** The one-time code of a sign-in by redirect (RFC 6749 §4.1.3 with PKCE). */
@TokenGrant({ type: 'authorization_code', parameters: codeParameters })
export class AuthorizationCodeGrant implements TokenGrant {
  constructor(
    private readonly redemption: Redemption,
    private readonly forgeries: Forgeries,
    private readonly clients: Clients,
  ) {}

  redeem(
    { code, redirect_uri: redirectUri, code_verifier: codeVerifier }: Of<typeof codeParameters>,
    { client, request: { origin }, replaces, bounds }: GrantCaller,
  ): Promise<BegunSession> {
    if (codeVerifier === undefined && client.type === 'public')
      throw new IamError('invalid_request', 'code_verifier: missing');
    if (!this.redemption.isOurs(code)) this.forgeries.count(origin);
    const admission = this.clients.admissionOf(client);
    const redemption = { code, clientId: client.id, redirectUri, codeVerifier, admission };
    return this.redemption.redeemCode(redemption, { origin, replaces, bounds });
  }
}

const refreshParameters = {
  /** A cookie client has it in its cookie. */
  refresh_token: z.string().min(1).max(512).optional(),
  scope: scopeParameter.meta({ description: 'Less than the session has (RFC 6749 §6)' }),
};

/** Continues a session (RFC 6749 §6). */
@TokenGrant({ type: 'refresh_token', parameters: refreshParameters })
export class RefreshTokenGrant implements TokenGrant {
  constructor(
    private readonly sessions: Sessions,
    private readonly cookies: SessionCookies,
    private readonly clients: Clients,
    private readonly forgeries: Forgeries,
  ) {}

  async redeem(
    { refresh_token: sent, scope }: Of<typeof refreshParameters>,
    { client, request, bounds }: GrantCaller,
  ): Promise<RefreshedSession> {
    const isCookieClient = client.tokens === 'cookie';
    const token = sent ?? (isCookieClient ? this.cookies.findRefreshToken(request) : null);
    if (token === null)
      throw isCookieClient
        ? new IamError('invalid_grant', 'this browser has no session')
        : new IamError('invalid_request', 'refresh_token: missing');
    if (this.sessions.findSessionId(token) === null) this.forgeries.count(request.origin);
    const asked = { ...bounds, scope: grantScope(client, scope) };
    return this.sessions.refresh(token, this.clients.callerOf(client), asked);
  }
}

const serviceParameters = {
  scope: scopeParameter.meta({ description: '`roles` at most: the others are about a person' }),
};

/** A machine proves itself and acts for itself (RFC 6749 §4.4). */
@TokenGrant({ type: 'client_credentials', parameters: serviceParameters })
export class ClientCredentialsGrant implements TokenGrant {
  async redeem(
    { scope: asked }: Of<typeof serviceParameters>,
    { client }: GrantCaller,
  ): Promise<ServiceTokenClaims> {
    const { id: clientId, type, roles, credential } = client;
    if (type !== 'service' || credential === null)
      throw new IamError('unauthorized_client', `application "${clientId}" is no service`);
    const scope = grantScope(client, asked);
    if (scope === undefined) return { clientId, roles, credential };
    if (scope !== 'roles') throw new IamError('invalid_scope', `service "${clientId}" is no person`);
    return { clientId, roles, credential, scope };
  }
}

/** RFC 6749 §4.5: a code that WeChat gave to an app of the row, which no browser carried. */
const appCodeParameters = {
  provider: z.string().min(1).max(63),
  code: z.string().min(1).max(512),
  scope: scopeParameter,
};

/** With the code of the phone button, whose number becomes the user's. */
const miniCodeParameters = { ...appCodeParameters, phone_code: phoneCodeSchema.optional() };

abstract class AppCodeGrant implements TokenGrant {
  protected abstract readonly kind: AppCodeKind;

  constructor(@Inject(AppCodes) private readonly codes: AppCodes) {}

  redeem(
    { provider, code, phone_code: phoneCode, scope }: Of<typeof miniCodeParameters>,
    { client, request }: GrantCaller,
  ): Promise<BegunSession> {
    const asked = { scope: grantScope(client, scope) };
    const sent = { kind: this.kind, clientId: client.id, provider, code, phoneCode, request: asked };
    return this.codes.signIn(sent, request.origin);
  }
}

/** The code of `wx.login`. */
@TokenGrant({
  type: 'urn:wechat:grant:mini_program',
  parameters: miniCodeParameters,
  errors: ['wechat_mini_not_configured', 'phone_code_invalid', 'phone_number_taken'],
})
export class MiniProgramGrant extends AppCodeGrant {
  protected readonly kind = 'mini';
}

/** The code of the Open SDK of a mobile app. */
@TokenGrant({
  type: 'urn:wechat:grant:mobile_app',
  parameters: appCodeParameters,
  errors: ['wechat_mobile_not_configured'],
})
export class MobileAppGrant extends AppCodeGrant {
  protected readonly kind = 'mobile';
}
