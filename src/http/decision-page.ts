import { quotableName } from '../errors/unknown.js';
import { escapeHtml, page, readAsset, type Page } from './html.js';
import type { IamResponse } from './iam-response.js';
import type { Language } from './user-agent.js';

const unnamed = { zh: '未设置昵称', en: 'no nickname' } as const;

/** A sentence of ours about `{account}` as HTML, with the nickname of its owner. */
export function quoteAccount(sentence: string, nickname: string | null, language: Language): string {
  return escapeHtml(sentence.replace('{account}', () => quotableName(nickname) ?? unnamed[language]));
}

/** The style of our own pages on which people decide; system fonts, light and dark. */
export const pageStyle = readAsset('./assets/pages.css', import.meta.url);

/** A page with a form, in the style of all of them. */
export function formPage(content: Omit<Page, 'style' | 'status'>, status = 200): IamResponse {
  const response = page({ ...content, status, style: pageStyle });
  // With `no-referrer` a browser sends its form with `Origin: null`, which any site could have caused; with `same-origin` the
  // host's logs have the address, whose token opens the question.
  return { ...response, headers: { ...response.headers, 'Referrer-Policy': 'strict-origin' } };
}

/** A name, and a value that is not escaped yet. */
export type Fact = readonly [name: string, value: string];

/** A question that a form answers with `decision`; HTML, but for the title, the facts and the fields. */
export interface Decision extends Pick<Page, 'language' | 'imagesFrom' | 'leadsElsewhere'> {
  readonly title: string;
  readonly id?: string | undefined;
  readonly intro: string;
  readonly facts: readonly (Fact | undefined)[];
  /** Where the decision goes. */
  readonly action: string;
  /** The hidden fields of the form. */
  readonly fields: Readonly<Record<string, string>>;
  readonly input?: string | undefined;
  readonly warning: string;
  /** The button that agrees, or what comes before it. */
  readonly goOn: string;
}

/** How a question ended: title and text, and a link in HTML to go on by. */
interface Ending extends Pick<Page, 'language'> {
  readonly status?: number;
  readonly id: string;
  readonly ending: readonly [title: string, text: string];
  readonly wayOn?: string;
}

/** The page after a decision, or where there is none to be made any more. */
export function endPage({ language, status = 200, id, ending, wayOn = '' }: Ending): IamResponse {
  const [title, text] = ending;
  const link = wayOn === '' ? '' : `<p class="actions">${wayOn}</p>\n`;
  const body = `<main id="${id}">\n<h1>${title}</h1>\n<p>${text}</p>\n${link}</main>`;
  return page({ language, status, title, style: pageStyle, body });
}

const deny = { zh: '拒绝', en: 'Deny' } as const;

/** Asks for a decision; to agree and to deny weigh the same (RFC 10027). */
export function decisionPage({ language, title, ...question }: Decision): IamResponse {
  const { id, intro, facts, action, fields, input = '', warning, goOn, ...policy } = question;
  const rows = facts.flatMap((fact) =>
    fact === undefined ? [] : [`<dt>${fact[0]}</dt><dd>${escapeHtml(fact[1])}</dd>`],
  );
  const hidden = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  );
  return formPage({
    language,
    title,
    ...policy,
    body: `<main${id === undefined ? '' : ` id="${id}"`}>
<h1>${escapeHtml(title)}</h1>
${intro}<dl>
${rows.join('\n')}
</dl>
<form method="post" action="${escapeHtml(action)}">
${hidden.join('\n')}
${input}<p class="warn">${warning}</p>
<div class="choice">
<button class="no" name="decision" value="deny" formnovalidate>${deny[language]}</button>
${goOn}
</div>
</form>
</main>`,
  });
}
