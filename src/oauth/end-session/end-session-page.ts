import { endPage, formPage } from '../../http/decision-page.js';
import { escapeHtml } from '../../http/html.js';
import type { IamResponse } from '../../http/iam-response.js';
import type { Language } from '../../http/user-agent.js';

const texts = {
  zh: {
    ask: '要退出登录吗？',
    who: '当前登录：{account}',
    unnamed: '您的微信',
    what: '您将在此浏览器中退出 {site} 的所有应用。',
    yes: '退出登录',
    no: '保持登录',
    endings: {
      signed_out: ['已退出登录', '您可以关闭此页面。'],
      kept: ['仍在登录状态', '没有退出任何应用，您可以关闭此页面。'],
    },
  },
  en: {
    ask: 'Sign out?',
    who: 'Signed in as {account}',
    unnamed: 'your WeChat',
    what: 'You will be signed out of all applications of {site} in this browser.',
    yes: 'Sign out',
    no: 'Stay signed in',
    endings: {
      signed_out: ['Signed out', 'You may close this page.'],
      kept: ['Still signed in', 'You were signed out of nothing. You may close this page.'],
    },
  },
} as const;

/** The question that comes before a sign-out which nothing proves to be the person's wish. */
interface SignOutQuestion {
  readonly language: Language;
  readonly siteName: string;
  /** As our own sentences may quote it. */
  readonly nickname: string | null;
  readonly action: string;
  /** Bound to this browser's session, so that no other site can have it. */
  readonly confirmation: string;
}

/** Asks whether the person wants to sign out; to stay weighs the same. */
export function signOutQuestionPage(question: SignOutQuestion): IamResponse {
  const { language, siteName, nickname, action, confirmation } = question;
  const { ask, who, unnamed, what, yes, no } = texts[language];
  const body = `<main id="sign-out">
<h1>${ask}</h1>
<p>${escapeHtml(who.replace('{account}', () => nickname ?? unnamed))}</p>
<p>${escapeHtml(what.replace('{site}', () => siteName))}</p>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="confirmation" value="${escapeHtml(confirmation)}">
<div class="choice">
<button class="no" name="decision" value="stay">${no}</button>
<button class="yes" name="decision" value="sign_out">${yes}</button>
</div>
</form>
</main>`;
  return formPage({ language, title: ask, body, leadsElsewhere: true });
}

/** How it ended, where no client is to be gone back to. */
export function signOutEndPage(language: Language, ending: 'signed_out' | 'kept'): IamResponse {
  return endPage({ language, id: 'sign-out', ending: texts[language].endings[ending] });
}
