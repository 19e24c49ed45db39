import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { escapeHtml, page, readAsset } from '../http/html.js';
import type { IamResponse } from '../http/iam-response.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { Language } from '../http/user-agent.js';
import { pageStyle, quoteAccount } from '../http/decision-page.js';

/** Texts of the page with the QR code that are the same for every way, by state. */
const texts = {
  zh: {
    title: '微信扫码登录',
    loading: '正在获取二维码…',
    pending: '请用微信扫一扫上方二维码',
    scanned: '已扫描，请在手机上核对数字并确认',
    confirmed: '已确认，正在登录…',
    denied: '您已在手机上取消登录',
    expired: '二维码已过期',
    failed: '暂时无法登录，请稍后重试',
    lost: '连接中断，正在重试…',
    limited: '请求过于频繁，请稍后再试',
    again: '获取新的二维码',
    open: '打开微信确认登录',
    pendingPhone: '记住下面的数字，再到微信中确认',
    phoneHint: '确认后请返回此页面，将自动完成登录',
    opened: '请在微信中确认，然后返回此页面',
    back: '返回',
    noScript: '请启用 JavaScript 后刷新本页。',
  },
  en: {
    title: 'Sign in with WeChat',
    loading: 'Getting the QR code…',
    pending: 'Scan the QR code with WeChat',
    scanned: 'Scanned. Compare the number and confirm on your phone',
    confirmed: 'Confirmed. Signing in…',
    denied: 'You declined on your phone',
    expired: 'The QR code has expired',
    failed: 'Sign-in does not work right now. Try again later',
    lost: 'Connection lost, trying again…',
    limited: 'Too many requests. Wait a moment',
    again: 'Get a new QR code',
    open: 'Open WeChat to confirm',
    pendingPhone: 'Remember this number, then confirm in WeChat',
    phoneHint: 'Then come back to this page, which goes on by itself',
    opened: 'Confirm in WeChat, then come back to this page',
    back: 'Back',
    noScript: 'Turn on JavaScript and reload this page.',
  },
} as const;

/** The title of a sign-in to an application that has a name. */
const titleOf = { zh: '微信扫码登录「{app}」', en: 'Sign in to “{app}” with WeChat' } as const;

/** The texts that differ for a signed-in user who links another WeChat identity. */
const linkTexts = {
  zh: {
    title: '绑定微信',
    account: '扫码的微信将绑定到账号「{account}」',
    confirmed: '已确认，正在绑定…',
    denied: '您已在手机上取消绑定',
    failed: '暂时无法绑定，请稍后重试',
  },
  en: {
    title: 'Link a WeChat account',
    account: 'The WeChat that scans will be linked to the account “{account}”',
    confirmed: 'Confirmed. Linking…',
    denied: 'You declined on your phone',
    failed: 'Linking does not work right now. Try again later',
  },
} as const;

/** The texts of a way; it may replace those that every way has. */
export interface QrWayTexts extends Partial<Record<keyof (typeof texts)['zh'], string>> {
  readonly qrAlt: string;
  /** What to do, below the QR code. */
  readonly hint: string;
  /** The same, for a link. */
  readonly linkHint: string;
  /** After the scan, where the number of this page is to be typed. */
  readonly scannedNumber: string;
}

/** What a scan is for: to sign in to a client, or to link the scanner to an account. */
export type ScreenPurpose =
  | { readonly clientId: string; readonly account?: undefined }
  | { readonly account: { readonly nickname: string | null } };

const script = readAsset('./assets/qr-page.js', import.meta.url);

/** The page on a PC that shows the QR code of an attempt and its state. */
@Injectable()
export class QrScreen {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly urls: IamUrls,
    private readonly registry: ClientRegistry,
  ) {}

  location(state: string): string {
    return this.urls.endpoint(`follow?state=${state}`);
  }

  widget(state: string): Readonly<Record<string, string | number>> {
    return { state, expires_in: this.options.loginLifetime };
  }

  show(
    state: string,
    language: Language,
    { linkHint, ...ofWay }: QrWayTexts,
    purpose: ScreenPurpose,
  ): IamResponse {
    const { siteName } = this.options;
    const shown = {
      ...texts[language],
      ...ofWay,
      ...(purpose.account !== undefined && { ...linkTexts[language], hint: linkHint }),
    };
    const application = purpose.account === undefined ? this.registry.nameOf(purpose.clientId) : null;
    const title = application === null ? shown.title : titleOf[language].replace('{app}', () => application);
    const attributes = Object.entries({
      attempt: state,
      start: this.urls.path('follow'),
      finish: this.urls.path('follow/finish'),
      texts: JSON.stringify(shown),
    }).map(([name, value]) => `data-${name}="${escapeHtml(value)}"`);
    return page({
      status: 200,
      language,
      title: `${title} · ${siteName}`,
      style: pageStyle,
      script,
      body: `<main id="follow" ${attributes.join(' ')}>
<p class="site">${escapeHtml(siteName)}</p>
<h1>${escapeHtml(title)}</h1>
${purpose.account === undefined ? '' : `<p class="account">${quoteAccount(linkTexts[language].account, purpose.account.nickname, language)}</p>`}
<div class="frame" id="frame">
<img id="qr" alt="${escapeHtml(shown.qrAlt)}" width="240" height="240" hidden>
<div id="cover" hidden><span id="mark" aria-hidden="true"></span></div>
</div>
<p id="status" role="status" aria-live="polite">${shown.loading}</p>
<p id="number" hidden></p>
<p id="hint">${shown.hint}</p>
<p class="actions"><a class="button yes" id="open" hidden>${shown.open}</a> <button id="again" type="button" hidden>${shown.again}</button> <a id="back" hidden>${shown.back}</a></p>
<noscript><p>${shown.noScript}</p></noscript>
</main>`,
    });
  }
}
