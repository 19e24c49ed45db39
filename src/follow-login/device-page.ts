import type { IamResponse } from '../http/iam-response.js';
import { describeAgent } from '../http/describe-agent.js';
import { escapeHtml, page } from '../http/html.js';
import type { Language } from '../http/language.js';
import { followStateOf, type FollowLogin } from './follow-login.js';
import { confirmPageTexts, formatTime } from './confirm-page-texts.js';
import type { DeviceVisit } from './confirm-cookies.service.js';
import { devicePageTexts } from './device-page-texts.js';
import { followPageStyle } from './follow-page-style.js';
import { quotableName } from './quotable-name.js';

type Ending = keyof (typeof devicePageTexts)['zh']['endings'];

/** The form for the code. */
export interface DeviceForm {
  readonly language: Language;
  readonly siteName: string;
  /** Where it goes. */
  readonly action: string;
  readonly typed?: string | undefined;
  readonly problem?: 'wrong' | 'limited';
}

/** Asks for the code that a device shows (RFC 8628 §3.3). */
export function deviceFormPage({ language, siteName, action, typed = '', problem }: DeviceForm): IamResponse {
  const texts = devicePageTexts[language];
  const alert = problem === undefined ? '' : `<p role="alert" id="problem">${texts[problem]}</p>\n`;
  return shown(language, {
    title: texts.title,
    status: problem === 'limited' ? 429 : 200,
    body: `<p class="site">${escapeHtml(siteName)}</p>
<h1>${texts.title}</h1>
<form method="post" action="${escapeHtml(action)}">
${alert}<label for="user_code">${texts.enter}</label>
<input id="user_code" name="user_code" value="${escapeHtml(typed)}" maxlength="32" autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX" required autofocus>
<button class="yes">${texts.next}</button>
</form>`,
  });
}

/** The question about one device. */
export interface DeviceQuestion {
  readonly language: Language;
  readonly siteName: string;
  readonly login: FollowLogin;
  /** As the device shows it. */
  readonly code: string;
  readonly device: string;
  readonly csrf: string;
  /** Where the decision goes, and where a sign-in starts. */
  readonly action: string;
  readonly signInUrl: string;
  /** Who has signed in on the page; null for nobody yet. */
  readonly person: { readonly nickname: string | null } | null;
  readonly problem: string | null;
}

/** Shows who asks, has the person sign in, and then asks: a code may have come from a stranger (RFC 8628 §5.4). */
export function deviceQuestionPage(question: DeviceQuestion): IamResponse {
  const { language, siteName, login, code, device, csrf, action, signInUrl, person, problem } = question;
  const texts = { ...confirmPageTexts[language], ...devicePageTexts[language] };
  const facts: (readonly [string, string])[] = [
    [texts.site, siteName],
    [texts.client, login.client_id],
    [texts.requester, describeAgent(login.user_agent, language)],
    [texts.address, login.ip ?? texts.unknown],
    [texts.time, formatTime(login.created_at, language)],
  ];
  if (person !== null) facts.push([texts.account, quotableName(person.nickname) ?? texts.unnamed]);
  const rows = facts.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join('\n');
  const goOn =
    person === null
      ? `<a class="button yes" href="${escapeHtml(signInUrl)}">${texts.signIn}</a>`
      : `<button class="yes" name="decision" value="confirm">${texts.confirm}</button>`;
  return shown(language, {
    title: texts.ask,
    body: `<h1>${texts.ask}</h1>
${problem === null ? '' : `<p role="alert">${escapeHtml(problem)}</p>\n`}<p>${texts.code}</p>
<p class="code">${code}</p>
<dl>
${rows}
</dl>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="device" value="${escapeHtml(device)}">
<input type="hidden" name="csrf" value="${escapeHtml(csrf)}">
<p class="warn">${texts.warning}</p>
<div class="choice">
<button class="no" name="decision" value="deny">${texts.deny}</button>
${goOn}
</div>
</form>`,
  });
}

/** How it ended, and the way to another code. */
export function deviceEndPage(language: Language, ending: Ending, formUrl: string): IamResponse {
  const texts = devicePageTexts[language];
  const { title, text } = texts.endings[ending];
  return shown(language, {
    title,
    body: `<h1>${title}</h1>\n<p>${text}</p>\n<p class="actions"><a href="${escapeHtml(formUrl)}">${texts.another}</a></p>`,
  });
}

/** How the device's question ended, as this browser is told; null while it waits. */
export function deviceEndingOf(login: FollowLogin, { decision }: DeviceVisit): Ending | null {
  switch (followStateOf(login)) {
    case 'pending':
      return null;
    case 'scanned':
      return 'scanned';
    case 'confirmed':
    case 'done':
      return decision === 'confirm' ? 'confirmed' : 'taken';
    case 'denied':
      return decision === 'deny' ? 'denied' : 'taken';
    case 'expired':
    case 'failed':
      return decision === 'confirm' ? 'confirmed' : 'over';
  }
}

function shown(
  language: Language,
  { title, body, status = 200 }: { readonly title: string; readonly body: string; readonly status?: number },
): IamResponse {
  const answer = page({
    status,
    language,
    title,
    style: followPageStyle,
    body: `<main id="device">\n${body}\n</main>`,
  });
  // With `no-referrer` a browser sends its form with `Origin: null`, which could be anybody's.
  return { ...answer, headers: { ...answer.headers, 'Referrer-Policy': 'same-origin' } };
}
