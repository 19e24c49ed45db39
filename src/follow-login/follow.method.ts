import { Inject } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { IamResponse } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { SignInMethod, type StartedAttempt } from '../oauth/registration.js';
import type { Browser } from '../http/user-agent.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { followPage } from './follow-page.js';
import { FollowProof } from './collect.service.js';

/** Follow-to-login as a way to sign in at `/authorize`: a PC shows our own page with the QR code. */
@SignInMethod('follow')
export class FollowMethod implements SignInMethod {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly urls: IamUrls,
    readonly openStep: FollowProof,
  ) {}

  appOf({ mp }: IdentityProvider): WechatApp | null {
    return mp;
  }

  isOffered({ qr }: IdentityProvider, { kind }: Browser): boolean {
    return kind === 'pc' && qr.enabled;
  }

  problemOf({ mp, qr }: IdentityProvider): IamErrorCode | null {
    if (mp === null) return 'wechat_mp_not_configured';
    return qr.enabled ? null : 'method_unavailable';
  }

  location({ attempt: { state } }: StartedAttempt): string {
    return this.urls.endpoint(`follow?state=${state}`);
  }

  page({ attempt: { state }, language }: StartedAttempt): IamResponse {
    return followPage({ language, site: this.options, state, urls: this.urls });
  }
}
