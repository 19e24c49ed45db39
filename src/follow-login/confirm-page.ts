import type { IamResponse } from '../http/iam-response.js';
import { type ErrorPageSite, homeOf } from '../http/error-page.js';
import { escapeHtml, page } from '../http/html.js';
import type { Language } from '../http/language.js';
import { followStateOf, linkOf, type FollowLogin } from './follow-login.js';
import { confirmPageTexts, confirmPurposeTexts, formatTime } from './confirm-page-texts.js';
import { describeAgent } from '../http/describe-agent.js';
import { followPageStyle } from './follow-page-style.js';
import { quotableName } from './quotable-name.js';

/** What the page asks about. */
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
  const facts = [
    [texts.site, siteName],
    [texts.browser, describeAgent(login.user_agent, language)],
    [texts.address, login.ip ?? texts.unknown],
    [texts.time, formatTime(login.created_at, language)],
  ] as const;
  const rows = facts.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join('\n');
  const answer = page({
    status: 200,
    language,
    title: texts.title,
    style: followPageStyle,
    body: `<main>
<h1>${texts.title}</h1>
${link === null ? '' : `<p class="ask">${escapeHtml(accountLine(language, link.nickname))}</p>\n`}<dl>
${rows}
</dl>
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
  // With `no-referrer` a browser sends its form with `Origin: null`, which could be anybody's.
  return { ...answer, headers: { ...answer.headers, 'Referrer-Policy': 'same-origin' } };
}

type Ending = 'confirmed' | 'denied' | 'over';

/** How a scan ended, as its phone is told; null while it waits for the decision. */
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

/** Where the decision has been made, or cannot be made any more: what stops a person leads on to the site. */
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
    style: followPageStyle,
    body: `<main>\n<h1>${text.title}</h1>\n<p>${text.text}</p>\n${isDecided ? '' : wayOn(language, site, login)}</main>`,
  });
}

function wayOn(language: Language, site: ErrorPageSite, login: FollowLogin | null): string {
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
