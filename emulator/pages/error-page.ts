import { page } from '../http/answers.js';
import type { Answer } from '../http/exchange.js';
import { html } from './html.js';
import type { Speak } from './language.js';
import { notice } from './layout.js';

/** The codes of WeChat's error pages (protocol B.4), with what they say. */
const texts = {
  10003: ['redirect_uri域名与后台配置不一致', 'The redirect_uri domain does not match the one configured'],
  10004: ['此公众号被封禁', 'This account is banned'],
  10005: ['Scope 参数错误或没有 Scope 权限', 'Wrong scope parameter, or no permission for this scope'],
  10006: ['必须关注此测试号', 'You have to follow this test account'],
  10010: ['scope 不能为空', 'scope is empty'],
  10011: ['redirect_uri 不能为空', 'redirect_uri is empty'],
  10012: ['appid 为空或错误', 'appid is empty or wrong'],
  10013: ['state 参数错误', 'state is empty or not allowed'],
  10016: [
    '不支持微信开放平台的Appid,请使用公众号Appid',
    'An Open Platform appid is not supported here: use the Official Account appid',
  ],
} as const;

/** A code that WeChat shows on a page and never sends to the app. */
export type PageErrorCode = keyof typeof texts;

/** WeChat's error page. It is an answer to the person, with HTTP 200, and nothing is sent to the app. */
export function errorPage(speak: Speak, code: PageErrorCode): Answer {
  const [zh, en] = texts[code];
  return page(
    notice(speak, {
      mark: 'warn',
      title: speak(zh, en),
      more: html`<p data-error-code="${code}">${speak('错误码', 'Error code')}: ${code}</p>`,
    }),
  );
}

/** The error page of the PC's QR sign-in, which has a text but no code (protocol A.1). */
export function linkErrorPage(speak: Speak, text: string): Answer {
  return page(
    notice(speak, { mark: 'warn', title: text, text: speak('该链接无法访问', 'This link cannot be opened') }),
  );
}
