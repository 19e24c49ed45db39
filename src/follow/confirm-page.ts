import type { Answer } from '../http/answer.js';
import { escapeHtml, page } from '../http/html.js';
import type { Language } from '../http/language.js';
import type { FollowLogin } from '../logins/follow-login.js';
import { confirmPageTexts } from './confirm-page-texts.js';
import { describeAgent } from '../http/describe-agent.js';
import { followPageStyle } from './follow-page-style.js';

/** What the page asks about. */
export interface ConfirmQuestion {
  readonly language: Language;
  readonly siteName: string;
  readonly login: FollowLogin;
  /** Where the form goes. */
  readonly action: string;
  readonly confirmToken: string;
  readonly csrf: string;
  /** The last number typed was not the one shown. */
  readonly isNumberWrong: boolean;
}

/** Asks on the phone: who wants to sign in, from where, since when; confirm and deny weigh the same (RFC 10027). */
export function confirmPage(question: ConfirmQuestion): Answer {
  const { language, siteName, login, action, confirmToken, csrf } = question;
  const texts = confirmPageTexts[language];
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
<dl>
${rows}
</dl>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="login" value="${escapeHtml(confirmToken)}">
<input type="hidden" name="csrf" value="${escapeHtml(csrf)}">
${login.confirmation === 'number' ? numberField(question) : `<p>${texts.number}</p>\n<p class="number">${login.user_code ?? ''}</p>`}
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

/** Where the decision has been made, or cannot be made any more. */
export function confirmEndPage(
  language: Language,
  ending: 'confirmed' | 'denied' | 'over' | 'foreign' | 'outside',
): Answer {
  const text = confirmPageTexts[language].endings[ending];
  return page({
    status: ending === 'foreign' ? 403 : 200,
    language,
    title: text.title,
    style: followPageStyle,
    body: `<main>\n<h1>${text.title}</h1>\n<p>${text.text}</p>\n</main>`,
  });
}

function numberField({ language, isNumberWrong }: ConfirmQuestion): string {
  const texts = confirmPageTexts[language];
  return `${isNumberWrong ? `<p role="alert">${texts.numberWrong}</p>\n` : ''}<label for="number">${texts.numberPrompt}</label>
<input id="number" name="number" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" autocomplete="off" required>`;
}

function formatTime(at: Date, language: Language): string {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB';
  const time = new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'medium',
    timeZone: 'Asia/Shanghai',
  }).format(at);
  return confirmPageTexts[language].zone.replace('{time}', time);
}
