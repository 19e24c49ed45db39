import { escapeHtml, page, readAsset, type Page } from '../http/html.js';
import type { IamResponse } from '../http/iam-response.js';
import { describeAgent, type Language } from '../http/user-agent.js';
import type { QrLogin } from './qr-login.js';

/** Longer names are cut; WeChat's own limit is 32 too. */
const MAX_LENGTH = 32;

/**
 * A nickname as our own sentences may quote it, or null when nothing of it is left. Its owner chose it and another
 * person reads it: it must not leave its quotes, turn the line round, or become a link in a chat.
 */
export function quotableName(nickname: string | null): string | null {
  const plain = (nickname ?? '').replaceAll(/[\p{C}\p{Zl}\p{Zp}<>「」『』“”"]/gu, '');
  const name = Array.from(plain).slice(0, MAX_LENGTH).join('').trim();
  return name === '' ? null : name;
}

const unnamed = { zh: '未设置昵称', en: 'no nickname' } as const;

/** A sentence of ours about `{account}` as HTML, with the nickname of its owner. */
export function quoteAccount(sentence: string, nickname: string | null, language: Language): string {
  return escapeHtml(sentence.replace('{account}', () => quotableName(nickname) ?? unnamed[language]));
}

/** The style of our own pages about a login; system fonts, light and dark. */
export const pageStyle = readAsset('./assets/pages.css', import.meta.url);

/** Texts that every question shows about its request. */
const texts = {
  zh: {
    site: '网站',
    address: '网络地址',
    time: '时间',
    unknown: '未知',
    zone: '（北京时间）',
    deny: '拒绝',
  },
  en: {
    site: 'Site',
    address: 'Address',
    time: 'Time',
    unknown: 'unknown',
    zone: ' (Beijing)',
    deny: 'Deny',
  },
} as const;

/** A page with a form, in the style of all pages of this folder. */
export function formPage(content: Pick<Page, 'language' | 'title' | 'body'>, status = 200): IamResponse {
  const response = page({ ...content, status, style: pageStyle });
  // With `no-referrer` a browser sends its form with `Origin: null`, which any site could have caused; with `same-origin` the
  // host's logs have the address, whose token opens the question.
  return { ...response, headers: { ...response.headers, 'Referrer-Policy': 'strict-origin' } };
}

/** A name, and a value that is not escaped yet. */
type Fact = readonly [name: string, value: string];

/** The request that a question is about, and where its decision goes. */
export interface AskedLogin {
  readonly language: Language;
  readonly siteName: string;
  readonly login: QrLogin;
  readonly action: string;
  /** The hidden fields of the form. */
  readonly fields: Readonly<Record<string, string>>;
}

/** What differs between the questions; HTML, but for the title, the warning and the facts. */
interface Question {
  readonly title: string;
  readonly id?: string;
  readonly intro: string;
  readonly client?: Fact;
  /** The name of the fact that says which browser or device asks. */
  readonly requester: string;
  readonly person?: Fact | undefined;
  readonly input?: string;
  readonly warning: string;
  /** The button that agrees, or what comes before it. */
  readonly goOn: string;
}

/** Asks whether a login may go on: who wants it, from where, since when; confirm and deny weigh the same (RFC 10027). */
export function questionPage(
  { language, siteName, login, ...form }: AskedLogin,
  question: Question,
): IamResponse {
  const { title, id, intro, client, requester, person, input = '', warning, goOn } = question;
  const { site, address, time, unknown, deny } = texts[language];
  const facts: readonly (Fact | undefined)[] = [
    [site, siteName],
    client,
    [requester, describeAgent(login.user_agent, language)],
    [address, login.ip ?? unknown],
    [time, formatTime(login.created_at, language)],
    person,
  ];
  const rows = facts.flatMap((fact) =>
    fact === undefined ? [] : [`<dt>${fact[0]}</dt><dd>${escapeHtml(fact[1])}</dd>`],
  );
  const hidden = Object.entries(form.fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  );
  return formPage({
    language,
    title,
    body: `<main${id === undefined ? '' : ` id="${id}"`}>
<h1>${title}</h1>
${intro}<dl>
${rows.join('\n')}
</dl>
<form method="post" action="${escapeHtml(form.action)}">
${hidden.join('\n')}
${input}<p class="warn">${warning}</p>
<div class="choice">
<button class="no" name="decision" value="deny" formnovalidate>${deny}</button>
${goOn}
</div>
</form>
</main>`,
  });
}

/** A moment as the person at the page reads it. */
function formatTime(at: Date, language: Language): string {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB';
  const format = { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'Asia/Shanghai' } as const;
  return `${new Intl.DateTimeFormat(locale, format).format(at)}${texts[language].zone}`;
}
