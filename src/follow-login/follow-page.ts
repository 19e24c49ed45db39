import type { IamResponse } from '../http/iam-response.js';
import { escapeHtml, page } from '../http/html.js';
import type { Language } from '../http/language.js';
import { followPageScript } from './follow-page-script.js';
import { followPageStyle } from './follow-page-style.js';
import { followLinkTexts, followPageTexts } from './follow-page-texts.js';
import { quotableName } from './quotable-name.js';

/** What the page needs to know of its attempt. */
export interface FollowPageInput {
  readonly language: Language;
  readonly siteName: string;
  readonly state: string;
  /** Absolute paths on this server. */
  readonly startUrl: string;
  readonly finishUrl: string;
  /** The account that the scanner is to be linked to; absent for a sign-in. */
  readonly link?: { readonly nickname: string | null };
}

/** The module's own page for a PC, to sign in or to link another identity: the QR code of the Official Account and what becomes of it. */
export function followPage(input: FollowPageInput): IamResponse {
  const { language, siteName, state, startUrl, finishUrl, link } = input;
  const texts = { ...followPageTexts[language], ...(link !== undefined && followLinkTexts[language]) };
  const attributes = Object.entries({
    attempt: state,
    start: startUrl,
    finish: finishUrl,
    texts: JSON.stringify(texts),
  })
    .map(([name, value]) => `data-${name}="${escapeHtml(value)}"`)
    .join(' ');
  return page({
    status: 200,
    language,
    title: `${texts.title} · ${siteName}`,
    style: followPageStyle,
    script: followPageScript,
    body: `<main id="follow" ${attributes}>
<p class="site">${escapeHtml(siteName)}</p>
<h1>${texts.title}</h1>
${link === undefined ? '' : `<p class="account">${escapeHtml(accountLine(language, link.nickname))}</p>`}
<div class="frame">
<img id="qr" alt="${escapeHtml(texts.qrAlt)}" width="240" height="240" hidden>
<div id="cover" hidden><span id="mark" aria-hidden="true"></span></div>
</div>
<p id="status" role="status" aria-live="polite">${texts.loading}</p>
<p id="number" hidden></p>
<p id="hint">${texts.hint}</p>
<p class="actions"><button id="again" type="button" hidden>${texts.again}</button> <a id="back" hidden>${texts.back}</a></p>
<noscript><p>${texts.noScript}</p></noscript>
</main>`,
  });
}

function accountLine(language: Language, nickname: string | null): string {
  const { account, unnamed } = followLinkTexts[language];
  return account.replace('{account}', () => quotableName(nickname) ?? unnamed);
}
