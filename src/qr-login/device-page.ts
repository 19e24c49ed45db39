import { escapeHtml } from '../http/html.js';
import type { IamResponse } from '../http/iam-response.js';
import type { Language } from '../http/user-agent.js';
import { type QrLogin, qrStateOf } from './qr-login.js';
import type { DeviceVisit } from '../sign-in/page-cookies.service.js';
import { quotableName } from '../errors/unknown.js';
import { endPage, formPage } from '../http/decision-page.js';
import { type AskedLogin, questionPage } from './page-parts.js';

/** The texts of the page for the code of a device. */
export const devicePageTexts = {
  zh: {
    title: '连接设备',
    enter: '请输入电视、游戏机或其他设备上显示的代码',
    next: '下一步',
    wrong: '没有找到这个代码，或代码已过期。请核对设备上显示的代码。',
    limited: '尝试次数过多，请稍后再试。',
    ask: '是否让此设备登录？',
    code: '代码',
    requester: '设备',
    account: '以此账号登录',
    unnamed: '您的微信',
    warning:
      '请确认设备就在您身边，并且显示相同的代码。如果代码是别人发给您的，请选择“拒绝”：否则对方会登录您的账号。',
    signIn: '用微信登录并继续',
    failed: '登录没有完成，请重试。',
    confirm: '允许登录',
    another: '输入另一个代码',
    endings: {
      confirmed: ['已完成', '请回到您的设备继续，本页可以关闭。'],
      denied: ['已拒绝', '设备没有登录。'],
      taken: ['已被处理', '这个代码已由其他人或在另一个页面处理。如果不是您本人，请在设备上获取新的代码。'],
      scanned: ['已扫码', '该设备的二维码已被微信扫描，请在那部手机上确认或拒绝。'],
      over: ['已失效', '这个代码已过期，请在设备上获取新的代码。'],
    },
  },
  en: {
    title: 'Connect a device',
    enter: 'Type the code that your TV, console or other device shows',
    next: 'Next',
    wrong: 'No device shows this code, or it has expired. Compare it with the device.',
    limited: 'Too many tries. Wait a moment.',
    ask: 'Sign this device in?',
    code: 'Code',
    requester: 'Device',
    account: 'Signed in as',
    unnamed: 'your WeChat',
    warning:
      'Go on only if the device is with you and shows the same code. If somebody sent you the code, choose “Deny”: they would be signed in to your account.',
    signIn: 'Sign in with WeChat and go on',
    failed: 'The sign-in was not finished. Try again.',
    confirm: 'Allow',
    another: 'Type another code',
    endings: {
      confirmed: ['Done', 'Go on at your device. You may close this page.'],
      denied: ['Denied', 'The device was not signed in.'],
      taken: [
        'Dealt with already',
        'Somebody else, or another page of yours, has answered this code. If that was not you, get a new code on the device.',
      ],
      scanned: [
        'Scanned',
        'Somebody has scanned the QR code of this device with WeChat. Confirm or deny on that phone.',
      ],
      over: ['Too late', 'This code has expired. Get a new one on the device.'],
    },
  },
} as const;

type Ending = keyof (typeof devicePageTexts)['zh']['endings'];

/** The form for the code. */
interface DeviceForm extends Omit<AskedLogin, 'application' | 'login' | 'fields'> {
  readonly typed?: string | undefined;
  readonly problem?: 'wrong' | 'limited';
}

/** Asks for the code that a device shows (RFC 8628 §3.3). */
export function deviceFormPage({ language, siteName, action, typed = '', problem }: DeviceForm): IamResponse {
  const texts = devicePageTexts[language];
  const alert = problem === undefined ? '' : `<p role="alert" id="problem">${texts[problem]}</p>\n`;
  const body = `<main id="device">
<p class="site">${escapeHtml(siteName)}</p>
<h1>${texts.title}</h1>
<form method="post" action="${escapeHtml(action)}">
${alert}<label for="user_code">${texts.enter}</label>
<input id="user_code" name="user_code" value="${escapeHtml(typed)}" maxlength="32" autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX" required autofocus>
<button class="yes">${texts.next}</button>
</form>
</main>`;
  return formPage({ language, title: texts.title, body }, problem === 'limited' ? 429 : 200);
}

/** The question about a device: the request, the code, and the person who has signed in. */
interface DeviceQuestion extends AskedLogin {
  /** As the device shows it. */
  readonly code: string;
  readonly signInUrl: string;
  /** The person who has signed in on the page; null before that. */
  readonly person: { readonly nickname: string | null } | null;
  readonly problem: string | null;
}

/** Has the person sign in, and then asks: a code may have come from a stranger (RFC 8628 §5.4). */
export function deviceQuestionPage(asked: DeviceQuestion): IamResponse {
  const { code, signInUrl, person, problem } = asked;
  const texts = devicePageTexts[asked.language];
  const alert = problem === null ? '' : `<p role="alert">${escapeHtml(problem)}</p>\n`;
  return questionPage(asked, {
    id: 'device',
    title: texts.ask,
    intro: `${alert}<p>${texts.code}</p>\n<p class="code">${code}</p>\n`,
    requester: texts.requester,
    person: person === null ? undefined : [texts.account, quotableName(person.nickname) ?? texts.unnamed],
    warning: texts.warning,
    goOn:
      person === null
        ? `<a class="button yes" href="${escapeHtml(signInUrl)}">${texts.signIn}</a>`
        : `<button class="yes" name="decision" value="confirm">${texts.confirm}</button>`,
  });
}

/** How it ended, and the way to another code. */
export function deviceEndPage(language: Language, ending: Ending, formUrl: string): IamResponse {
  const { another, endings } = devicePageTexts[language];
  const wayOn = `<a href="${escapeHtml(formUrl)}">${another}</a>`;
  return endPage({ language, id: 'device', ending: endings[ending], wayOn });
}

/** How the device's question ended for this browser; null while it waits. */
export function deviceEndingOf(login: QrLogin, { decision }: DeviceVisit): Ending | null {
  const confirmedOr = (ending: Ending) => (decision === 'confirm' ? 'confirmed' : ending);
  return {
    pending: null,
    scanned: 'scanned' as const,
    confirmed: confirmedOr('taken'),
    done: confirmedOr('taken'),
    denied: decision === 'deny' ? ('denied' as const) : ('taken' as const),
    expired: confirmedOr('over'),
    failed: confirmedOr('over'),
  }[qrStateOf(login)];
}
