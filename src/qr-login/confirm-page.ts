import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { type ErrorPageSite, homeOf } from '../http/error-page.js';
import { escapeHtml } from '../http/html.js';
import type { IamRequest } from '../http/iam-request.js';
import type { IamResponse } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { Language } from '../http/user-agent.js';
import { LoginTokens, showUserCode } from './codes-and-tokens.service.js';
import { PageCookies, type ScannerProof } from '../sign-in/page-cookies.service.js';
import { endPage, quoteAccount } from '../http/decision-page.js';
import { type AskedLogin, questionPage } from './page-parts.js';
import type { NamedLogin, PhoneLogin } from './phone-logins.service.js';
import { type QrLogin, qrStateOf, type QrState, linkOf } from './qr-login.js';

/** Texts of the phone's page for a sign-in. */
const signInTexts = {
  zh: {
    title: '确认登录？',
    titleOf: '登录「{app}」？',
    browser: '浏览器',
    number: '请核对：电脑上显示的与此一致吗？',
    numberPrompt: '请输入电脑上显示的 4 位数字',
    numberWrong: '数字不正确，请重新输入。',
    warning: '请确认是您本人正在电脑上登录。如果二维码是别人发给您的，请选择“拒绝”。',
    confirm: '确认登录',
    goTo: '前往 {site}',
    confirmed: ['已确认', '请回到电脑继续。'],
    denied: ['已拒绝', '电脑上的登录已取消。'],
    over: ['已失效', '此次登录已处理或已过期，如需登录请重新扫码。'],
    foreign: ['无法确认', '此次登录由另一个微信帐号扫码，请使用扫码的微信打开。'],
    outside: ['请在微信中打开', '请在微信的公众号会话中点击该链接。'],
    unscanned: ['请用微信扫码', '请打开微信的“扫一扫”，扫描电脑上显示的二维码。'],
  },
  en: {
    title: 'Sign in?',
    titleOf: 'Sign in to “{app}”?',
    browser: 'Browser',
    number: 'Does the computer show the same?',
    numberPrompt: 'Type the 4 digits that the computer shows',
    numberWrong: 'That is not the number. Try again.',
    warning:
      'Confirm only if you are signing in on a computer right now. If somebody sent you the QR code, choose “Deny”.',
    confirm: 'Confirm',
    goTo: 'Go to {site}',
    confirmed: ['Confirmed', 'Go on at your computer.'],
    denied: ['Denied', 'The sign-in at the computer was cancelled.'],
    over: ['Too late', 'This sign-in was dealt with already or has expired. Scan a new QR code to sign in.'],
    foreign: ['Not yours to confirm', 'Another WeChat account scanned this code. Open the link there.'],
    outside: ['Open it in WeChat', 'Tap the link in the Official Account’s chat in WeChat.'],
    unscanned: ['Scan it with WeChat', 'Open Scan in WeChat and point it at the QR code on the computer.'],
  },
} as const;

/** The texts that differ where the scan links the scanner's WeChat to an account. */
const linkTexts = {
  zh: {
    title: '确认绑定？',
    ask: '将此微信绑定到账号「{account}」',
    warning:
      '绑定后，用此微信登录将进入该账号。请确认这是您自己的账号，且是您本人正在电脑上操作；如果二维码是别人发给您的，请选择“拒绝”。',
    confirm: '确认绑定',
    denied: ['已拒绝', '此微信没有被绑定。'],
    over: ['已失效', '此次绑定已处理或已过期，如需绑定请重新扫码。'],
    foreign: ['无法确认', '此次绑定由另一个微信帐号扫码，请使用扫码的微信打开。'],
  },
  en: {
    title: 'Link this WeChat?',
    ask: 'Link this WeChat to the account “{account}”',
    warning:
      'From then on, signing in with this WeChat leads to that account. Confirm only if it is your own and you are linking it on a computer right now. If somebody sent you the QR code, choose “Deny”.',
    confirm: 'Link',
    denied: ['Denied', 'This WeChat was not linked.'],
    over: ['Too late', 'This was dealt with already or has expired. Scan a new QR code to link this WeChat.'],
  },
} as const;

/** The question on the phone: the request, and what the person compares. */
interface ConfirmQuestion extends AskedLogin {
  /** The owner of the account that the scanner is to be linked to; null for a sign-in. */
  readonly link: { readonly nickname: string | null } | null;
  /** What the other device shows, to be compared. */
  readonly shown: string;
  /** The last number typed was not the one shown. */
  readonly isNumberWrong: boolean;
}

/** The page on the phone that asks the scanner to confirm a sign-in or a link. */
function confirmPage(asked: ConfirmQuestion): IamResponse {
  const { language, application, login, link, shown, isNumberWrong } = asked;
  const texts = { ...signInTexts[language], ...(link !== null && linkTexts[language]) };
  const alert = isNumberWrong ? `<p role="alert">${texts.numberWrong}</p>\n` : '';
  return questionPage(asked, {
    title: application === null ? texts.title : texts.titleOf.replace('{app}', () => application),
    intro:
      link === null
        ? ''
        : `<p class="ask">${quoteAccount(linkTexts[language].ask, link.nickname, language)}</p>\n`,
    requester: texts.browser,
    input:
      login.confirmation === 'number'
        ? `${alert}<label for="number">${texts.numberPrompt}</label>
<input id="number" name="number" inputmode="numeric" maxlength="16" autocomplete="off" required>\n`
        : `<p>${texts.number}</p>\n<p class="number">${shown}</p>\n`,
    warning: texts.warning,
    goOn: `<button class="yes" name="decision" value="confirm">${texts.confirm}</button>`,
  });
}

/** Why the page asks nothing; `foreign`: another WeChat account has scanned; `outside`, `unscanned`: this is no WeChat. */
type ConfirmEnding = 'confirmed' | 'denied' | 'over' | 'foreign' | 'outside' | 'unscanned';

const endings: Readonly<Record<QrState, ConfirmEnding | null>> = {
  pending: 'over',
  scanned: null,
  confirmed: 'confirmed',
  done: 'confirmed',
  denied: 'denied',
  expired: 'over',
  failed: 'over',
};

/** How a scan ended for its phone; null while it waits for the decision. */
function endingOf(login: QrLogin): ConfirmEnding | null {
  return endings[qrStateOf(login)];
}

/** The page after the decision, or where none can be made any more; a person who is stopped can go on to the site. */
function confirmEndPage(
  language: Language,
  ending: ConfirmEnding,
  { login, site }: { readonly login: QrLogin | null; readonly site: ErrorPageSite },
): IamResponse {
  const isLink = login !== null && linkOf(login) !== undefined;
  const texts = { ...signInTexts[language], ...(isLink && linkTexts[language]) };
  const isDecided = ending === 'confirmed' || ending === 'denied';
  const home = escapeHtml(homeOf(site, login?.client_id));
  const goTo = escapeHtml(texts.goTo.replace('{site}', () => site.siteName));
  const wayOn = isDecided ? '' : `<a class="button" href="${home}">${goTo}</a>`;
  const status = ending === 'foreign' ? 403 : 200;
  return endPage({ language, status, id: 'confirm', ending: texts[ending], wayOn });
}

/** The pages of the phone that has scanned, whichever way it came: their decision goes to `POST /confirm/{provider}`. */
@Injectable()
export class PhonePages {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly cookies: PageCookies,
    private readonly tokens: LoginTokens,
    private readonly urls: IamUrls,
  ) {}

  /** The question for the proven scanner, or how it ended. */
  show(login: PhoneLogin, proof: ScannerProof, { language, query }: IamRequest): IamResponse {
    const ending = endingOf(login);
    if (ending !== null) return this.end(language, ending, login);
    const code = this.tokens.userCodeOf(login);
    const isLink = linkOf(login) !== undefined;
    return confirmPage({
      language,
      siteName: this.options.siteName,
      application: isLink ? null : this.registry.nameOf(login.client_id),
      login,
      action: this.urls.path(`confirm/${login.provider}`),
      fields: { login: this.tokens.mint('confirm', login.id), csrf: this.cookies.csrfOf(proof) },
      link: isLink ? { nickname: login.account_nickname } : null,
      shown: code === null ? (login.user_code ?? '') : showUserCode(code),
      isNumberWrong: query['number'] === 'wrong',
    });
  }

  end(language: Language, ending: ConfirmEnding, login: PhoneLogin | null): IamResponse {
    return confirmEndPage(language, ending, { login, site: this.registry.site });
  }

  /** The address of the question. */
  addressOf({ provider, loginId }: NamedLogin): string {
    return this.urls.path(`confirm/${provider}?login=${this.tokens.mint('confirm', loginId)}`);
  }
}
