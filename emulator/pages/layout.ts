import { html, trusted, type Markup } from './html.js';
import type { Speak } from './language.js';

const style = `
*{box-sizing:border-box}
html{font:16px/1.6 system-ui,-apple-system,"PingFang SC","Hiragino Sans GB","Microsoft YaHei",sans-serif;color:rgba(0,0,0,.9)}
body{margin:0;background:#fff;min-height:100vh}
main{max-width:420px;margin:0 auto;padding:48px 24px 32px;text-align:center}
h1{font-size:20px;font-weight:500;margin:0 0 8px;line-height:1.4}
p{margin:8px 0;color:rgba(0,0,0,.6);overflow-wrap:anywhere}
.mark{width:64px;height:64px;border-radius:50%;margin:0 auto 24px;display:flex;align-items:center;justify-content:center;color:#fff;font-size:34px;font-weight:600;line-height:1}
.mark.warn{background:#fa9d3b}.mark.ok{background:#07c160}.mark.info{background:#10aeff}
.app{width:64px;height:64px;border-radius:12px;margin:0 auto 12px;background:linear-gradient(135deg,#07c160,#10aeff);color:#fff;font-size:28px;line-height:64px;overflow:hidden}
.person{display:flex;align-items:center;gap:12px;padding:14px 0;border-top:1px solid rgba(0,0,0,.08);border-bottom:1px solid rgba(0,0,0,.08);margin:24px 0;text-align:left}
.person img,.person .face{width:44px;height:44px;border-radius:6px;background:#e5e5e5;flex:none;text-align:center;line-height:44px;color:#fff;background:#7bb5ec;overflow:hidden}
.person b{font-weight:500;display:block;overflow-wrap:anywhere}.person span{color:rgba(0,0,0,.6);font-size:14px}
form{margin:12px 0}
button,.button{display:inline-block;min-width:200px;padding:10px 24px;border:0;border-radius:8px;font:inherit;font-weight:500;cursor:pointer;background:#07c160;color:#fff;text-decoration:none}
button:hover,.button:hover{background:#06ad56}button.quiet,.button.quiet{background:rgba(0,0,0,.05);color:#05713a}button.quiet:hover{background:rgba(0,0,0,.1)}
button:focus-visible,a:focus-visible{outline:3px solid #10aeff;outline-offset:2px}
small{color:rgba(0,0,0,.6);font-size:13px}
`;

/** The frame of WeChat's small pages. */
export function layout(speak: Speak, title: string, content: Markup): Markup {
  return html`<!doctype html>
    <html lang="${speak('zh-CN', 'en')}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>${title}</title>
        <style>
          ${trusted(style)}
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`;
}

/** A page with one message: a mark, a headline, an explanation. */
export function notice(
  speak: Speak,
  message: {
    readonly mark: 'warn' | 'ok' | 'info';
    readonly title: string;
    readonly text?: string;
    readonly more?: Markup;
  },
): Markup {
  const sign = message.mark === 'ok' ? '✓' : message.mark === 'info' ? 'i' : '!';
  return layout(
    speak,
    message.title,
    html`<div class="mark ${message.mark}" aria-hidden="true">${sign}</div>
      <h1>${message.title}</h1>
      ${message.text === undefined ? undefined : html`<p>${message.text}</p>`} ${message.more}`,
  );
}
