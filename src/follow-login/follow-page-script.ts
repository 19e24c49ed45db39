/**
 * The script of the sign-in page, written for browsers of 2018 and later. It starts the login by POST (a GET must have
 * no effect), listens to its states, polls as a fallback, and leaves when the server says where to.
 */
export const followPageScript = `
(function () {
  'use strict';
  var main = document.getElementById('follow');
  var byId = function (id) { return document.getElementById(id); };
  var texts = JSON.parse(main.dataset.texts);
  var current = null, source = null, timer = null, deadline = 0;
  var isLost = false, isAttemptOver = false;

  function show(state) {
    main.dataset.state = state;
    var over = state === 'denied' || state === 'expired' || state === 'failed' || state === 'limited';
    var text = texts[state];
    var confirmation = state === 'scanned' && current ? current.confirmation : 'none';
    byId('status').textContent = confirmation === 'number' ? texts.scannedNumber : text;
    byId('number').hidden = confirmation === 'none';
    byId('number').textContent = confirmation === 'none' ? '' : current.number;
    byId('cover').hidden = state === 'pending' || state === 'loading';
    byId('mark').textContent = over ? '!' : '\\u2713';
    byId('hint').hidden = state !== 'pending';
    byId('again').hidden = !over;
    if (over) stop();
  }

  function stop() {
    if (source) source.close();
    clearTimeout(timer);
    source = null;
  }

  function post(url, body) {
    return fetch(url, { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify(body) })
      .then(function (answer) { return answer.json().then(function (json) { return { status: answer.status, json: json }; }); });
  }

  function start() {
    stop();
    isLost = false;
    show('loading');
    post(main.dataset.start, { state: main.dataset.attempt }).then(function (answer) {
      if (answer.status === 429) return show('limited');
      if (answer.status === 400) return endAttempt();
      if (answer.status !== 200) return show('failed');
      current = answer.json;
      deadline = Date.now() + current.expires_in * 2000;
      byId('qr').src = current.qr_image;
      byId('qr').hidden = false;
      show('pending');
      listen();
      poll();
    }, function () { show('failed'); });
  }

  function listen() {
    if (!window.EventSource) return;
    source = new EventSource(current.events_uri);
    ['scanned', 'confirmed', 'denied', 'expired', 'failed'].forEach(function (state) {
      source.addEventListener(state, function () { apply(state); });
    });
  }

  function apply(state) {
    if (state === 'confirmed') finish();
    else if (state === 'done') show('expired');
    else if (isLost || main.dataset.state !== state) show(state);
    isLost = false;
  }

  /* A server that is restarted, or its database: what was scanned meanwhile is not lost. */
  function retry() {
    finishing = false;
    if (Date.now() > deadline) return show('expired');
    isLost = true;
    byId('status').textContent = texts.lost;
    poll();
  }

  /* The browser has lost the attempt, or kept it for too long: loading the page again begins another. */
  function endAttempt() {
    isAttemptOver = true;
    show('expired');
  }

  function poll() {
    clearTimeout(timer);
    timer = setTimeout(function () { finish(); }, current.interval * 1000);
  }

  var finishing = false;
  function finish() {
    if (finishing) return;
    finishing = true;
    var asked = current;
    post(main.dataset.finish, { state: main.dataset.attempt, device_code: asked.device_code }).then(function (answer) {
      finishing = false;
      if (asked !== current) return;
      if (answer.status >= 500 || answer.status === 429) return retry();
      if (answer.json.code === 'state_mismatch' || answer.json.code === 'state_expired') return endAttempt();
      if (answer.json.location) { show('confirmed'); stop(); location.replace(answer.json.location); return; }
      if (answer.json.return_to) { byId('back').href = answer.json.return_to; byId('back').hidden = false; }
      var state = answer.status === 200 ? answer.json.status : 'failed';
      apply(state === 'confirmed' ? 'scanned' : state);
      if (state === 'pending' || state === 'scanned') poll();
    }, retry);
  }

  byId('again').addEventListener('click', function () {
    if (isAttemptOver) location.reload();
    else start();
  });
  start();
})();`;
