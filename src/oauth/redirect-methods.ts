import { Inject } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { Browser } from '../http/user-agent.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { CodeExchange, redirectAppOf } from '../sign-in/code-exchange.service.js';
import { wxLoginParameters } from '../wechat/authorize-url.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { SignInMethod, type StartedAttempt } from './registration.js';

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
    return qr.enabled && !hasFollowed ? 'follow_required' : null;
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
