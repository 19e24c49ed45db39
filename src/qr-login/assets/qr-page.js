/*
 * The script of the page with the QR code, for browsers of 2018 and later. It starts the login by POST (a GET must have no
 * effect), listens to its states, polls as a fallback, and leaves when the server says where to.
 */
(() => {
  'use strict';
  const main = document.getElementById('follow');
  const byId = (id) => document.getElementById(id);
  const texts = JSON.parse(main.dataset.texts);
  const endings = ['denied', 'expired', 'failed', 'limited'];
  let current = null;
  let source = null;
  let timer = null;
  let deadline = 0;
  let isFinishing = false;
  let isLost = false;
  let isAttemptOver = false;
  /* As the server tells a phone: it cannot scan its own screen, and a link takes the place of the QR code. */
  const isPhone =
    /Mobi|Windows Phone|Opera Mini/i.test(navigator.userAgent) && !/iPad|Tablet/i.test(navigator.userAgent);
  let isOpened = false;

  function show(state) {
    main.dataset.state = state;
    const isOver = endings.includes(state);
    /* On a phone the other screen is this one, which WeChat will cover: the number comes first. */
    const isCompared = state === 'scanned' || (state === 'pending' && hasLink());
    const confirmation = isCompared && current ? current.confirmation : 'none';
    byId('status').textContent =
      state === 'scanned' && confirmation === 'number' ? texts.scannedNumber : textOf(state);
    byId('number').hidden = confirmation === 'none';
    byId('number').textContent = confirmation === 'none' ? '' : current.number;
    byId('cover').hidden = state === 'pending' || state === 'loading';
    byId('mark').textContent = isOver ? '!' : '\u2713';
    byId('open').hidden = !hasLink() || !['pending', 'scanned'].includes(state);
    byId('hint').hidden = state !== 'pending';
    byId('again').hidden = !isOver;
    if (isOver) stop();
  }

  function hasLink() {
    return isPhone && current !== null && current.open_link !== undefined;
  }

  function textOf(state) {
    if (state !== 'pending' || !hasLink()) return texts[state];
    return isOpened ? texts.opened : texts.pendingPhone;
  }

  function stop() {
    if (source) source.close();
    clearTimeout(timer);
    source = null;
  }

  async function post(url, body) {
    const response = await fetch(url, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, json: await response.json() };
  }

  function start() {
    stop();
    isLost = false;
    show('loading');
    post(main.dataset.start, { state: main.dataset.attempt }).then(started, () => show('failed'));
  }

  function started({ status, json }) {
    if (status === 429) return show('limited');
    if (status === 400) return endAttempt();
    if (status !== 200) return show('failed');
    current = json;
    extend();
    isOpened = false;
    byId('qr').src = current.qr_image;
    byId('qr').hidden = false;
    byId('frame').hidden = hasLink();
    if (hasLink()) {
      byId('open').href = current.open_link;
      byId('hint').textContent = texts.phoneHint;
    }
    show('pending');
    listen();
    poll();
  }

  function listen() {
    if (!window.EventSource) return;
    source = new EventSource(current.events_uri);
    for (const state of ['scanned', 'confirmed', 'denied', 'expired', 'failed'])
      source.addEventListener(state, () => apply(state));
  }

  function apply(state) {
    if (state === 'confirmed') finish();
    else if (state === 'done') show('expired');
    else if (isLost || main.dataset.state !== state) show(state);
    isLost = false;
  }

  /* A server that waits says itself when it is over; one that is away is asked for as long as this. */
  function extend() {
    deadline = Date.now() + current.expires_in * 2000;
  }

  /* The server or its database is restarted: a scan of that time is not lost. */
  function retry() {
    isFinishing = false;
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
    timer = setTimeout(finish, current.interval * 1000);
  }

  function finish() {
    if (isFinishing) return;
    isFinishing = true;
    const login = current;
    const body = { state: main.dataset.attempt, device_code: login.device_code };
    post(main.dataset.finish, body).then((response) => finished(login, response), retry);
  }

  function finished(login, { status, json }) {
    isFinishing = false;
    if (login !== current) return;
    if (status >= 500 || status === 429) return retry();
    if (json.code === 'state_mismatch' || json.code === 'state_expired') return endAttempt();
    if (json.location) {
      show('confirmed');
      stop();
      location.replace(json.location);
      return;
    }
    if (json.return_to) {
      byId('back').href = json.return_to;
      byId('back').hidden = false;
    }
    const state = status === 200 ? json.status : 'failed';
    apply(state === 'confirmed' ? 'scanned' : state);
    if (state !== 'pending' && state !== 'scanned') return;
    extend();
    poll();
  }

  byId('open').addEventListener('click', () => {
    isOpened = true;
    byId('status').textContent = textOf(main.dataset.state);
  });
  /* A phone stops the timers and streams of a page behind WeChat: the person who comes back does not wait for them. */
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && ['pending', 'scanned'].includes(main.dataset.state))
      finish();
  });
  byId('again').addEventListener('click', () => {
    if (isAttemptOver) location.reload();
    else start();
  });
  start();
})();
