import { errorTexts } from '../../src/errors/iam.error-texts.js';
import type { Problem } from './api';
import { codeWords, language } from './language';

/** What no server has said: the client of this page, or the network. */
const ownWords = codeWords({
  issuer_mismatch: [
    '返回的登录结果来自另一个服务器，因此未被采用，请重新登录。',
    'The response came from another server and was not used. Sign in again.',
  ],
  insecure_context: [
    '此页面不是通过 HTTPS 打开的，浏览器不允许在这里登录。',
    'This page was not opened by HTTPS. Browsers allow no sign-in here.',
  ],
});

const serverTexts = Object.entries(errorTexts);

/**
 * A problem in the language of the page, also after that has changed: by its code, else as the server said it; empty where nobody
 * has words for it.
 */
export function textOf({ code, message }: Problem): string {
  const ours = ownWords(code);
  if (ours !== code) return ours;
  const text = serverTexts.find(([known]) => known === code)?.[1];
  return text?.[language.value === 'en' ? 'en' : 'zh'] ?? message;
}

/** The code of a description in English: a redirect names the code of OAuth alone, which several of ours share (RFC 6749 §4.1.2.1). */
export function codeOfDescription(description: unknown): string | null {
  return serverTexts.find(([, { en }]) => en === description)?.[0] ?? null;
}
