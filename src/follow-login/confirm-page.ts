import {
  factList,
  type Facts,
  factTexts,
  formatTime,
  formPage,
  pageStyle,
  quotableName,
} from './page-parts.js';
import { describeAgent, type Language } from '../http/user-agent.js';
import { type ErrorPageSite, homeOf } from '../http/error-page.js';
import { escapeHtml, page } from '../http/html.js';
import type { IamResponse } from '../http/iam-response.js';
import { type FollowLogin, followStateOf, linkOf } from './follow-login.js';

/** What the phone's page says for a sign-in and a link alike. */
const confirmPageTexts = {
  zh: {
    ...factTexts.zh,
    browser: '浏览器',
    unnamed: '未设置昵称',
    number: '请核对：电脑上显示的与此一致吗？',
    numberPrompt: '请输入电脑上显示的 4 位数字',
    numberWrong: '数字不正确，请重新输入。',
    deny: '拒绝',
    goTo: '前往 {site}',
  },
  en: {
    ...factTexts.en,
    browser: 'Browser',
    unnamed: 'no nickname',
    number: 'Does the computer show the same?',
    numberPrompt: 'Type the 4 digits that the computer shows',
    numberWrong: 'That is not the number. Try again.',
    deny: 'Deny',
    goTo: 'Go to {site}',
  },
} as const;

/** Its question and its endings, by the purpose of the scan. */
const confirmPurposeTexts = {
  zh: {
    signIn: {
      title: '确认登录？',
      warning: '请确认是您本人正在电脑上登录。如果二维码是别人发给您的，请选择“拒绝”。',
      confirm: '确认登录',
      endings: {
        confirmed: { title: '已确认', text: '请回到电脑继续。' },
        denied: { title: '已拒绝', text: '电脑上的登录已取消。' },
        over: { title: '已失效', text: '此次登录已处理或已过期，如需登录请重新扫码。' },
        foreign: { title: '无法确认', text: '此次登录由另一个微信帐号扫码，请使用扫码的微信打开。' },
        outside: { title: '请在微信中打开', text: '请在微信的公众号会话中点击该链接。' },
      },
    },
    link: {
      title: '确认绑定？',
      ask: '将此微信绑定到账号「{account}」',
      warning:
        '绑定后，用此微信登录将进入该账号。请确认这是您自己的账号，且是您本人正在电脑上操作；如果二维码是别人发给您的，请选择“拒绝”。',
      confirm: '确认绑定',
      endings: {
        confirmed: { title: '已确认', text: '请回到电脑继续。' },
        denied: { title: '已拒绝', text: '此微信没有被绑定。' },
        over: { title: '已失效', text: '此次绑定已处理或已过期，如需绑定请重新扫码。' },
        foreign: { title: '无法确认', text: '此次绑定由另一个微信帐号扫码，请使用扫码的微信打开。' },
        outside: { title: '请在微信中打开', text: '请在微信的公众号会话中点击该链接。' },
      },
    },
  },
  en: {
    signIn: {
      title: 'Sign in?',
      warning:
        'Confirm only if you are signing in on a computer right now. If somebody sent you the QR code, choose “Deny”.',
      confirm: 'Confirm',
      endings: {
        confirmed: { title: 'Confirmed', text: 'Go on at your computer.' },
        denied: { title: 'Denied', text: 'The sign-in at the computer was cancelled.' },
        over: {
          title: 'Too late',
          text: 'This sign-in was dealt with already or has expired. Scan a new QR code to sign in.',
        },
        foreign: {
          title: 'Not yours to confirm',
          text: 'Another WeChat account scanned this code. Open the link there.',
        },
        outside: {
          title: 'Open it in WeChat',
          text: 'Tap the link in the Official Account’s chat in WeChat.',
        },
      },
    },
    link: {
      title: 'Link this WeChat?',
      ask: 'Link this WeChat to the account “{account}”',
      warning:
        'From then on, signing in with this WeChat leads to that account. Confirm only if it is your own and you are linking it on a computer right now. If somebody sent you the QR code, choose “Deny”.',
      confirm: 'Link',
      endings: {
        confirmed: { title: 'Confirmed', text: 'Go on at your computer.' },
        denied: { title: 'Denied', text: 'This WeChat was not linked.' },
        over: {
          title: 'Too late',
          text: 'This was dealt with already or has expired. Scan a new QR code to link this WeChat.',
        },
        foreign: {
          title: 'Not yours to confirm',
          text: 'Another WeChat account scanned this code. Open the link there.',
        },
        outside: {
          title: 'Open it in WeChat',
          text: 'Tap the link in the Official Account’s chat in WeChat.',
        },
      },
    },
  },
} as const;

/** The question of the page. */
export interface ConfirmQuestion {
  readonly language: Language;
  readonly siteName: string;
  readonly login: FollowLogin;
  /** The account that the scanner is to be linked to; null for a sign-in. */
  readonly link: { readonly nickname: string | null } | null;
  /** Where the form goes. */
  readonly action: string;
  readonly confirmToken: string;
  /** What the other device shows, to be compared. */
  readonly shown: string;
  readonly csrf: string;
  /** The last number typed was not the one shown. */
  readonly isNumberWrong: boolean;
}

/** Asks on the phone: who wants to sign in or have this WeChat linked, from where, since when; confirm and deny weigh the same (RFC 10027). */
export function confirmPage(question: ConfirmQuestion): IamResponse {
  const { language, siteName, login, action, confirmToken, csrf, link } = question;
  const purpose = confirmPurposeTexts[language][link === null ? 'signIn' : 'link'];
  const texts = { ...confirmPageTexts[language], ...purpose };
  const facts: Facts = [
    [texts.site, siteName],
    [texts.browser, describeAgent(login.user_agent, language)],
    [texts.address, login.ip ?? texts.unknown],
    [texts.time, formatTime(login.created_at, language)],
  ];
  return formPage({
    status: 200,
    language,
    title: texts.title,
    body: `<main>
<h1>${texts.title}</h1>
${link === null ? '' : `<p class="ask">${escapeHtml(accountLine(language, link.nickname))}</p>\n`}${factList(facts)}
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="login" value="${escapeHtml(confirmToken)}">
<input type="hidden" name="csrf" value="${escapeHtml(csrf)}">
${login.confirmation === 'number' ? numberField(question) : `<p>${texts.number}</p>\n<p class="number">${question.shown}</p>`}
<p class="warn">${texts.warning}</p>
<div class="choice">
<button class="no" name="decision" value="deny" formnovalidate>${texts.deny}</button>
<button class="yes" name="decision" value="confirm">${texts.confirm}</button>
</div>
</form>
</main>`,
  });
}

type Ending = 'confirmed' | 'denied' | 'over';

/** How a scan ended for its phone; null while it waits for the decision. */
export function endingOf(login: FollowLogin): Ending | null {
  switch (followStateOf(login)) {
    case 'scanned':
      return null;
    case 'confirmed':
    case 'done':
      return 'confirmed';
    case 'denied':
      return 'denied';
    case 'pending':
    case 'expired':
    case 'failed':
      return 'over';
  }
}

/** The page after the decision, or where none can be made any more; a person who is stopped can go on to the site. */
export function confirmEndPage(
  language: Language,
  ending: Ending | 'foreign' | 'outside',
  { login, site }: { readonly login: FollowLogin | null; readonly site: ErrorPageSite },
): IamResponse {
  const purpose = login === null || linkOf(login) === undefined ? 'signIn' : 'link';
  const text = confirmPurposeTexts[language][purpose].endings[ending];
  const isDecided = ending === 'confirmed' || ending === 'denied';
  return page({
    status: ending === 'foreign' ? 403 : 200,
    language,
    title: text.title,
    style: pageStyle,
    body: `<main>\n<h1>${text.title}</h1>\n<p>${text.text}</p>\n${isDecided ? '' : linkToSite(language, site, login)}</main>`,
  });
}

function linkToSite(language: Language, site: ErrorPageSite, login: FollowLogin | null): string {
  const text = confirmPageTexts[language].goTo.replace('{site}', () => site.siteName);
  const home = escapeHtml(homeOf(site, login?.client_id));
  return `<p class="actions"><a class="button" href="${home}">${escapeHtml(text)}</a></p>\n`;
}

function numberField({ language, isNumberWrong }: ConfirmQuestion): string {
  const texts = confirmPageTexts[language];
  return `${isNumberWrong ? `<p role="alert">${texts.numberWrong}</p>\n` : ''}<label for="number">${texts.numberPrompt}</label>
<input id="number" name="number" inputmode="numeric" maxlength="16" autocomplete="off" required>`;
}

function accountLine(language: Language, nickname: string | null): string {
  const { ask } = confirmPurposeTexts[language].link;
  return ask.replace('{account}', () => quotableName(nickname) ?? confirmPageTexts[language].unnamed);
}
