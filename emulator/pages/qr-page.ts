import type { CallbackPieces } from './callback-url.js';
import { html, literal, trusted, type Markup } from './html.js';
import type { Speak } from './language.js';
import { qrPageScript } from './qr-page-script.js';

/** What the PC's QR page shows and does. */
interface QrPageContent {
  readonly appName: string;
  readonly uuid: string;
  /** What the QR code says, for people and tests without a camera. */
  readonly content: string;
  readonly callback: CallbackPieces;
  /** Where a refusal leads; null when it leads nowhere. */
  readonly refusal: string | null;
  /** The page's own parameters: the widget asks for looks and for who redirects. */
  readonly query: URLSearchParams;
}

const style = `
*{box-sizing:border-box}
body{margin:0;font:14px/1.6 system-ui,-apple-system,"PingFang SC","Microsoft YaHei",sans-serif;text-align:center;color:#373737;min-height:100vh}
body.full{background:#f7f7f7;display:flex;align-items:center;justify-content:center}
body.full .impowerBox{background:#fff;border-radius:16px;padding:40px 48px;width:400px;max-width:100%;box-shadow:0 4px 24px rgba(0,0,0,.06)}
body.white{color:#fff}
.impowerBox{display:inline-block;padding:8px;max-width:100%}
.title{font-size:20px;margin-bottom:16px}
.wrp_code{position:relative;width:280px;max-width:100%;margin:0 auto}
.qrcode{width:280px;max-width:100%;aspect-ratio:1;border:1px solid #e2e2e2;border-radius:8px;background:#fff;display:block}
.cover{position:absolute;inset:0;display:none;flex-direction:column;align-items:center;justify-content:center;gap:12px;background:rgba(255,255,255,.94);border-radius:8px;color:#373737}
[data-status=scanned] .cover.scanned,[data-status=denied] .cover.denied,[data-status=expired] .cover.expired,[data-status=confirmed] .cover.scanned{display:flex}
.status_icon{width:48px;height:48px;border-radius:50%;background:#07c160;color:#fff;font-size:26px;line-height:48px}
.denied .status_icon,.expired .status_icon{background:#fa9d3b}
.info{margin-top:16px}.info p{margin:4px 0}
.appname{color:#07c160;overflow-wrap:anywhere}
button{border:0;border-radius:6px;background:#07c160;color:#fff;font:inherit;padding:8px 20px;cursor:pointer}
.lite .title,.lite .info{display:none}
`;

/** WeChat's page for signing in on a PC: the QR code with its states, live. Class names are those custom CSS relies on. */
export function qrPage(speak: Speak, content: QrPageContent): Markup {
  const { query, appName, uuid } = content;
  const widget = query.get('login_type') === 'jssdk';
  const looks = [
    widget ? 'widget' : 'full',
    query.get('style') ?? '',
    query.get('stylelite') === '1' ? 'lite' : '',
  ];
  const href = query.get('stylelite') === '1' ? '' : (query.get('href') ?? '');
  return html`<!doctype html>
    <html lang="${speak('zh-CN', 'en')}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>${speak('微信登录', 'WeChat Login')}</title>
        <style>
          ${trusted(style)}
        </style>
        ${/^(?:https?:|data:text\/css)/.test(href) ? html`<link rel="stylesheet" href="${href}" />` : undefined}
      </head>
      <body class="${looks.join(' ')}">
        <div
          class="impowerBox"
          id="box"
          data-status="waiting"
          data-uuid="${uuid}"
          data-content="${content.content}"
        >
          <div class="title">${speak('微信登录', 'WeChat Login')}</div>
          <div class="wrp_code">
            <img
              class="qrcode"
              src="/connect/qrcode/${uuid}"
              alt="${speak('微信登录二维码', 'QR code for WeChat login')}"
            />
            ${covers(speak)}
          </div>
          <div class="info" role="status" aria-live="polite">
            <p id="status">${speak('使用微信扫一扫登录', 'Scan QR code with WeChat to log in')}</p>
            <p class="appname">${appName}</p>
          </div>
        </div>
        <script>
          ${trusted(qrPageScript)};
          watchQrCode(${literal(settings(speak, content))});
        </script>
      </body>
    </html>`;
}

function covers(speak: Speak): Markup {
  const cover = (status: string, sign: string, label: string, more?: Markup): Markup =>
    html`<div class="cover ${status}">
      <div class="status_icon">${sign}</div>
      <b>${label}</b>${more}
    </div>`;
  return html`${cover('scanned', '✓', speak('扫描成功', 'Scanned'))}
  ${cover('denied', '!', speak('你已取消此次登录', 'Login cancelled'))}
  ${cover(
    'expired',
    '!',
    speak('二维码已失效', 'QR code expired'),
    html`<button type="button" id="refresh">${speak('刷新', 'Refresh')}</button>`,
  )}`;
}

function settings(speak: Speak, { uuid, callback, refusal, query }: QrPageContent): object {
  return {
    uuid,
    callback,
    refusal: refusal ?? null,
    inFrame: query.get('self_redirect') === 'true',
    texts: {
      waiting: speak('使用微信扫一扫登录', 'Scan QR code with WeChat to log in'),
      scanned: speak('在微信中轻触允许即可登录', 'Tap Allow in WeChat to log in'),
      denied: speak('你可再次扫描登录，或关闭窗口', 'Scan again to log in, or close the window'),
      expired: speak('二维码已失效，请刷新', 'The QR code has expired, please refresh'),
      confirmed: speak('登录成功，正在跳转', 'Logged in, one moment'),
    },
  };
}
