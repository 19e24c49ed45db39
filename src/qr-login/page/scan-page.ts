import { escapeHtml, page } from '../../http/html.js';
import type { IamResponse } from '../../http/iam-response.js';
import type { Language } from '../../http/user-agent.js';
import { pageStyle } from '../../http/decision-page.js';

const texts = {
  zh: {
    title: '微信扫码登录',
    ask: '您扫描了 {site} 的二维码。微信将向该网站提供您的昵称与头像，之后您可以确认或拒绝登录。',
    goOn: '继续',
    warning: '如果链接或二维码是别人发给您的，请关闭本页。',
  },
  en: {
    title: 'Sign in with WeChat',
    ask: 'You have scanned a QR code of {site}. WeChat will tell the site your nickname and picture; you then confirm or deny the sign-in.',
    goOn: 'Continue',
    warning: 'Close this page if somebody sent you the link or the QR code.',
  },
} as const;

/** What a phone shows before WeChat asks its person; it names no login, and reads none. */
export function scanPage(
  { language }: { readonly language: Language },
  { siteName, goOn }: { readonly siteName: string; readonly goOn: string },
): IamResponse {
  const { title, ask, warning, ...labels } = texts[language];
  return page({
    status: 200,
    language,
    title: `${title} · ${siteName}`,
    style: pageStyle,
    body: `<main id="scan">
<p class="site">${escapeHtml(siteName)}</p>
<h1>${title}</h1>
<p>${escapeHtml(ask.replace('{site}', () => siteName))}</p>
<p class="warn">${warning}</p>
<p class="actions"><a class="button yes" href="${escapeHtml(goOn)}">${labels.goOn}</a></p>
</main>`,
  });
}
