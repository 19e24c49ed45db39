import { html, literal, trusted, type Markup } from '../pages/html.js';
import type { Speak } from '../pages/language.js';
import type { Person } from '../person.js';
import { chatScript } from './chat-script.js';
import { icon, type IconName } from './icons.js';
import { miniScript } from './mini-script.js';
import { phoneScript } from './phone-script.js';
import { phoneStyle } from './phone-style.js';

const start = `
document.querySelectorAll('.tabs button').forEach(function (button) {
  button.addEventListener('click', function () { show({ name: button.dataset.view }); });
});
byId('web-close').addEventListener('click', closeWeb);
byId('web-reload').addEventListener('click', function () { if (state.webView) openWeb(state.webView.url); });
byId('full-service').addEventListener('click', function () { openWeb(state.webView.url, undefined, true); });
refresh().then(function () {
  var asked = new URLSearchParams(location.search);
  if (asked.get('open')) openWeb(asked.get('open'));
  if (asked.get('scan')) scan(asked.get('scan'));
  history.replaceState(null, '', '/phone?person=' + encodeURIComponent(person));
});
setInterval(refresh, 1000);
`;

/** Somebody's phone: chats, scanner, address bar, web view. `?open=` and `?scan=` act at once. */
export function phonePage(speak: Speak, person: Person): Markup {
  const tab = (view: IconName, label: string): Markup =>
    html`<button type="button" data-view="${view}" data-testid="tab-${view}">
      ${icon(view)}<span>${label}</span>
    </button>`;
  return html`<!doctype html>
    <html lang="${speak('zh-CN', 'en')}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1,viewport-fit=cover" />
        <title>${speak(`${person.nickname}的微信`, `${person.nickname}'s WeChat`)}</title>
        <style>
          ${trusted(phoneStyle)}
        </style>
      </head>
      <body>
        <main class="phone" aria-label="${speak('手机', 'Phone')}">
          <header class="bar">
            <button id="back" type="button" aria-label="${speak('返回', 'Back')}" hidden>‹</button>
            <h1 id="title"></h1>
            <button id="more" class="more" type="button" aria-label="${speak('资料', 'Profile')}" hidden>
              •••
            </button>
          </header>
          <div class="screen" id="screen"></div>
          <div id="dock"></div>
          <nav class="tabs">
            ${tab('chats', speak('微信', 'Chats'))} ${tab('scan', speak('扫一扫', 'Scan'))}
            ${tab('link', speak('打开链接', 'Open link'))} ${tab('me', speak('我', 'Me'))}
          </nav>
          <section class="web" id="web" aria-label="${speak('网页', 'Web page')}" hidden>
            <header class="bar">
              <button
                id="web-close"
                type="button"
                data-testid="web-close"
                aria-label="${speak('关闭', 'Close')}"
              >
                ×
              </button>
              <div class="title"><span id="web-title"></span><small id="web-url"></small></div>
              <button id="web-reload" class="more" type="button" aria-label="${speak('刷新', 'Reload')}">
                ↻
              </button>
            </header>
            <iframe
              id="frame"
              data-testid="frame"
              referrerpolicy="no-referrer"
              title="${speak('网页', 'Web page')}"
            ></iframe>
            <button id="full-service" class="go" type="button" hidden>
              ${speak('使用完整服务', 'Use the full service')}
            </button>
          </section>
          <div class="toast" id="toast" role="alert" hidden></div>
        </main>
        <script>
          var person = ${literal(person.id)};
          var texts = ${literal(texts(speak))};
          ${trusted(phoneScript + chatScript + miniScript + start)};
        </script>
      </body>
    </html>`;
}

function texts(speak: Speak): object {
  return {
    chats: speak('微信', 'WeChat'),
    scan: speak('扫一扫', 'Scan'),
    link: speak('打开链接', 'Open a link'),
    me: speak('我', 'Me'),
    profile: speak('公众号', 'Official Account'),
    loading: speak('加载中…', 'Loading…'),
    expired: speak('二维码已失效', 'This QR code has expired'),
    noAccounts: speak('还没有公众号', 'There are no Official Accounts yet'),
    notFollowed: speak('未关注', 'Not followed'),
    onScreens: speak('屏幕上的二维码', 'QR codes on screens'),
    noCodes: speak('现在没有屏幕显示二维码', 'No screen shows a QR code now'),
    loginCode: speak('电脑登录', 'Login on a computer'),
    sceneCode: speak('公众号二维码', 'QR code of an Official Account'),
    miniCode: speak('小程序码', 'Mini program code'),
    mini: speak('小程序', 'Mini program'),
    miniClosed: speak('没有打开的小程序', 'No mini program is open'),
    mini_page: speak('小程序页面', 'A page of the mini program'),
    mini_idle: speak('请前往小程序使用完整服务', 'Open the full program'),
    mini_confirmed: speak('已确认，请回到原来的设备', 'Confirmed. Go on at the other device'),
    mini_denied: speak('已拒绝', 'Denied'),
    mini_problem: speak('无法确认', 'That did not work'),
    signInAsk: speak('确认登录？', 'Sign in?'),
    signInToAsk: speak('登录「{application}」？', 'Sign in to “{application}”?'),
    linkAsk: speak('将此微信绑定到账号「{account}」？', 'Link this WeChat to the account “{account}”?'),
    site: speak('网站', 'Site'),
    browser: speak('浏览器', 'Browser'),
    address: speak('网络地址', 'Address'),
    time: speak('时间', 'Time'),
    compare: speak('请核对：另一设备上显示的与此一致吗？', 'Does the other device show the same?'),
    typeNumber: speak('请输入另一设备上显示的数字', 'Type the number that the other device shows'),
    wrongNumber: speak('数字不正确，请重新输入', 'That is not the number. Try again'),
    withPhone: speak('同时提供手机号', 'Give the phone number too'),
    agree: speak('确认登录', 'Confirm'),
    refuse: speak('拒绝', 'Deny'),
    paste: speak('或粘贴二维码内容', 'Or paste what a QR code says'),
    content: speak('二维码内容', 'Content'),
    scanNow: speak('扫描', 'Scan'),
    linkHint: speak('在微信中打开网页', 'Open a page inside WeChat'),
    open: speak('打开', 'Open'),
    allowed: speak('已授权的应用（点按撤回）', 'Apps you allowed (tap to withdraw)'),
    withdraw: speak('撤回授权', 'Withdraw'),
    nothingAllowed: speak('没有已授权的应用', 'You have allowed no app'),
    others: speak('换一个人', 'Somebody else'),
    follow: speak('关注', 'Follow'),
    unfollow: speak('不再关注', 'Unfollow'),
    enter: speak('发消息', 'Messages'),
    send: speak('发送', 'Send'),
  };
}
