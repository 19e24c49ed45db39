import { literal } from './html.js';

/** A stand-in for Tencent's `wxLogin.js`: builds the same iframe with the same parameters in the same order (protocol A.3). */
export function wxLoginScript(origin: string): string {
  return `!function (window, document) {
  function WxLogin(options) {
    var selfRedirect = options.self_redirect === true ? 'true' : options.self_redirect === false ? 'false' : 'default';
    var url = ${literal(origin).text} + '/connect/qrconnect?appid=' + options.appid + '&scope=' + options.scope +
      '&redirect_uri=' + options.redirect_uri + '&state=' + options.state + '&login_type=jssdk&self_redirect=' + selfRedirect +
      '&styletype=' + (options.styletype || '') + '&sizetype=' + (options.sizetype || '') +
      '&bgcolor=' + (options.bgcolor || '') + '&rst=' + (options.rst || '');
    if (options.style) url += '&style=' + options.style;
    if (options.href) url += '&href=' + options.href;
    if (options.lang === 'en') url += '&lang=en';
    if (options.stylelite === 1) url += '&stylelite=1';
    if (options.fast_login === 0) url += '&fast_login=0';
    var frame = document.createElement('iframe');
    frame.src = url;
    frame.frameBorder = '0';
    frame.allowTransparency = 'true';
    frame.scrolling = 'no';
    frame.width = '300px';
    frame.height = '400px';
    var container = document.getElementById(options.id);
    container.innerHTML = '';
    container.appendChild(frame);
    if (typeof options.onReady === 'function') frame.onload = function () { options.onReady(true); };
  }
  window.WxLogin = WxLogin;
}(window, document);
`;
}
