/** The QR page's script: asks the long poll for what the phone does and follows it. Runs in the browser. */
export const qrPageScript = `
function watchQrCode(settings) {
  var box = document.getElementById('box');
  var line = document.getElementById('status');
  var names = { 408: 'waiting', 404: 'scanned', 403: 'denied', 402: 'expired', 405: 'confirmed' };
  var last = '';
  function show(name) {
    box.setAttribute('data-status', name);
    line.textContent = settings.texts[name];
  }
  function leave(url) {
    (settings.inFrame ? window : window.top).location.href = url;
  }
  function follow(errcode, code) {
    if (errcode !== 408) {
      last = errcode;
      show(names[errcode]);
    }
    if (errcode === 405) return leave(settings.callback.before + ['code=' + code, settings.callback.after].filter(Boolean).join('&'));
    if (errcode === 403 && settings.refusal) return leave(settings.refusal);
    if (errcode !== 402) poll();
  }
  function poll() {
    fetch('/connect/l/qrconnect?uuid=' + settings.uuid + '&_=' + Date.now() + (last ? '&last=' + last : ''))
      .then(function (response) { return response.text(); })
      .then(function (text) {
        var found = /wx_errcode=(\\d+);window\\.wx_code='(\\w*)'/.exec(text);
        if (!found) throw new Error('unexpected answer');
        follow(Number(found[1]), found[2]);
      })
      .catch(function () { setTimeout(poll, 2000); });
  }
  document.getElementById('refresh').addEventListener('click', function () { window.location.reload(); });
  poll();
}
`;
