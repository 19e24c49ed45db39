import { Inject } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import type { IamErrorCode } from '../../errors/iam.error.js';
import type { IamResponse } from '../../http/iam-response.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import { SignInMethod, type StartedAttempt } from '../../oauth/registration.js';
import type { Browser, Language } from '../../http/user-agent.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import { FollowProof } from '../collect.service.js';
import { escapeHtml, page, readAsset } from '../../http/html.js';
import { pageStyle, quoteAccount } from '../page-parts.js';

/** Texts of the sign-in page, by state. */
const followPageTexts = {
  zh: {
    title: '微信扫码登录',
    qrAlt: '公众号二维码，请用微信扫一扫',
    loading: '正在获取二维码…',
    pending: '请用微信扫一扫上方二维码',
    hint: '扫码并关注公众号即可登录',
    scanned: '已扫描，请在手机上核对数字并确认',
    scannedNumber: '已扫描，请在公众号中回复下面的数字',
    confirmed: '已确认，正在登录…',
    denied: '您已在手机上取消登录',
    expired: '二维码已过期',
    failed: '暂时无法登录，请稍后重试',
    lost: '连接中断，正在重试…',
    limited: '请求过于频繁，请稍后再试',
    again: '获取新的二维码',
    back: '返回',
    noScript: '请启用 JavaScript 后刷新本页。',
  },
  en: {
    title: 'Sign in with WeChat',
    qrAlt: 'QR code of the Official Account: scan it with WeChat',
    loading: 'Getting the QR code…',
    pending: 'Scan the QR code with WeChat',
    hint: 'Scan it and follow the Official Account to sign in',
    scanned: 'Scanned. Compare the number and confirm on your phone',
    scannedNumber: 'Scanned. Send this number to the Official Account',
    confirmed: 'Confirmed. Signing in…',
    denied: 'You declined on your phone',
    expired: 'The QR code has expired',
    failed: 'Sign-in does not work right now. Try again later',
    lost: 'Connection lost, trying again…',
    limited: 'Too many requests. Wait a moment',
    again: 'Get a new QR code',
    back: 'Back',
    noScript: 'Turn on JavaScript and reload this page.',
  },
} as const;

/** The texts that differ for a signed-in user who links another WeChat identity. */
const followLinkTexts = {
  zh: {
    title: '绑定微信',
    account: '扫码的微信将绑定到账号「{account}」',
    hint: '扫码并关注公众号即可绑定，之后可用此微信登录该账号',
    confirmed: '已确认，正在绑定…',
    denied: '您已在手机上取消绑定',
    failed: '暂时无法绑定，请稍后重试',
  },
  en: {
    title: 'Link a WeChat account',
    account: 'The WeChat that scans will be linked to the account “{account}”',
    hint: 'Scan it and follow the Official Account to link this WeChat, which can then sign in to that account',
    confirmed: 'Confirmed. Linking…',
    denied: 'You declined on your phone',
    failed: 'Linking does not work right now. Try again later',
  },
} as const;

const script = readAsset('../assets/qr-page.js', import.meta.url);

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

  widget({ attempt: { state } }: StartedAttempt): Readonly<Record<string, string | number>> {
    return { state, expires_in: this.options.loginLifetime };
  }

  page({ attempt: { state }, language }: StartedAttempt): IamResponse {
    return this.show(state, language);
  }

  /** The QR code of the Official Account and its state, to sign in or to link the scanner to the account of `link`. */
  show(state: string, language: Language, link?: { readonly nickname: string | null }): IamResponse {
    const { siteName } = this.options;
    const texts = { ...followPageTexts[language], ...(link !== undefined && followLinkTexts[language]) };
    const attributes = Object.entries({
      attempt: state,
      start: this.urls.path('follow'),
      finish: this.urls.path('follow/finish'),
      texts: JSON.stringify(texts),
    }).map(([name, value]) => `data-${name}="${escapeHtml(value)}"`);
    return page({
      status: 200,
      language,
      title: `${texts.title} · ${siteName}`,
      style: pageStyle,
      script,
      body: `<main id="follow" ${attributes.join(' ')}>
<p class="site">${escapeHtml(siteName)}</p>
<h1>${texts.title}</h1>
${link === undefined ? '' : `<p class="account">${quoteAccount(followLinkTexts[language].account, link.nickname, language)}</p>`}
<div class="frame">
<img id="qr" alt="${escapeHtml(texts.qrAlt)}" width="240" height="240" hidden>
<div id="cover" hidden><span id="mark" aria-hidden="true"></span></div>
</div>
<p id="status" role="status" aria-live="polite">${texts.loading}</p>
<p id="number" hidden></p>
<p id="hint">${texts.hint}</p>
<p class="actions"><button id="again" type="button" hidden>${texts.again}</button> <a id="back" hidden>${texts.back}</a></p>
<noscript><p>${texts.noScript}</p></noscript>
</main>`,
    });
  }
}
