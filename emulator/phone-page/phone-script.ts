/** The phone's script: asks for the person's state each second and draws it. Runs in the browser. */
export const phoneScript = `
var state = null, drawn = '', view = { name: 'chats' };
function byId(id) { return document.getElementById(id); }
function el(tag, props) {
  var node = document.createElement(tag);
  Object.keys(props || {}).forEach(function (key) {
    if (key === 'onclick') node.addEventListener('click', props[key]);
    else if (key === 'className' || key === 'textContent') node[key] = props[key];
    else node.setAttribute(key, props[key]);
  });
  Array.prototype.slice.call(arguments, 2).forEach(function (child) { if (child) node.append(child); });
  return node;
}
function face(name, picture, kind) {
  if (/^https?:/.test(picture || '')) return el('img', { className: 'face', src: picture, alt: '' });
  return el('span', { className: 'face ' + (kind || ''), 'aria-hidden': 'true', textContent: (name === 'QR' ? 'QR' : Array.from(name)[0]) || '' });
}
function words(title, line) {
  return el('span', { className: 'words' }, el('b', { textContent: title }), el('span', { textContent: line || '' }));
}
function row(props, picture, title, line) {
  return el('li', {}, el('button', Object.assign({ className: 'row', type: 'button' }, props), picture, words(title, line)));
}
function toast(text) {
  var box = byId('toast');
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(function () { box.hidden = true; }, 3000);
}
function act(action, body) {
  return fetch('/_emulator/people/' + encodeURIComponent(person) + '/' + action, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body || {})
  }).then(function (response) {
    return response.json().then(function (answer) {
      if (!response.ok) throw new Error(answer.error);
      refresh();
      return answer;
    });
  }).catch(function (error) { toast(error.message); throw error; });
}
function refresh() {
  return fetch('/phone/state?person=' + encodeURIComponent(person)).then(function (response) {
    if (!response.ok) { location.href = '/phone'; return; }
    return response.json().then(function (fresh) {
      var text = JSON.stringify([fresh, view]);
      state = fresh;
      drawWebTitle();
      if (text === drawn) return;
      drawn = text;
      draw();
    });
  }).catch(function () {});
}
function show(next) {
  view = next;
  drawn = '';
  if (state) draw();
  refresh();
}
function openWeb(url, from, fullService) {
  var query = new URLSearchParams({ person: person, url: url });
  if (from) query.set('from', from);
  if (fullService) query.set('fullService', '1');
  byId('web').hidden = false;
  byId('frame').src = '/phone/web?' + query;
  byId('frame').focus();
}
function closeWeb() {
  byId('web').hidden = true;
  byId('frame').src = 'about:blank';
  refresh();
}
function drawWebTitle() {
  if (byId('web').hidden || !state.webView) return;
  byId('web-title').textContent = state.webView.title || texts.loading;
  byId('web-url').textContent = state.webView.url.replace(/^https?:\\/\\//, '');
  byId('full-service').hidden = !state.snapshot;
}
function scan(content) {
  content = content.trim();
  if (!content) return;
  if (/^emulator:\\/\\/mp\\?/.test(content)) return openMini({ code: content });
  if (/^weixin:\\/\\/dl\\/|^https:\\/\\/wxaurl\\.cn\\//.test(content)) return openMini({ link: content });
  var isScene = /^https?:\\/\\/weixin\\.qq\\.com\\/q\\/|\\/cgi-bin\\/showqrcode\\?/.test(content);
  if (/^https?:/.test(content) && !isScene) return openWeb(content);
  act('scan', { content: content, follow: false }).then(function (result) {
    if (result.kind === 'profile') show({ name: 'profile', appid: result.appid });
    else if (result.kind === 'chat') show({ name: 'chat', appid: result.appid });
    else toast(result.kind === 'expired' ? texts.expired : result.text);
  }).catch(function () {});
}
function account(appid) {
  return state.chats.filter(function (chat) { return chat.appid === appid; })[0];
}
var views = {
  chats: function (screen) {
    title(texts.chats);
    if (state.chats.length === 0) return screen.append(el('p', { className: 'hint', textContent: texts.noAccounts }));
    screen.append(el('ul', { className: 'list' }));
    state.chats.forEach(function (chat) {
      var last = chat.messages[chat.messages.length - 1];
      var line = !chat.followed ? texts.notFollowed : last ? last.text.replace(/<[^>]*>/g, '') : '';
      screen.firstChild.append(row({
        'data-testid': 'account', 'data-appid': chat.appid,
        onclick: function () { show({ name: chat.followed ? 'chat' : 'profile', appid: chat.appid }); }
      }, face(chat.name, '', 'account'), chat.name, line));
    });
  },
  scan: function (screen) {
    title(texts.scan);
    screen.append(el('h2', { textContent: texts.onScreens }));
    var list = el('ul', { className: 'list' });
    state.codes.forEach(function (code) {
      list.append(row({
        'data-testid': 'code', 'data-kind': code.kind, 'data-content': code.content,
        onclick: function () { scan(code.content); }
      }, face('QR', '', 'account'), code.appName, texts[code.kind + 'Code']));
    });
    screen.append(state.codes.length ? list : el('p', { className: 'hint', textContent: texts.noCodes }));
    screen.append(el('h2', { textContent: texts.paste }), ask('scan-input', texts.content, texts.scanNow, scan));
  },
  link: function (screen) {
    title(texts.link);
    screen.append(el('h2', { textContent: texts.linkHint }), ask('address', 'https://', texts.open, function (url) {
      url = url.trim();
      if (/^weixin:/.test(url)) return scan(url);
      openWeb(/^https?:/.test(url) ? url : 'http://' + url);
    }));
  },
  me: function (screen) {
    title(texts.me);
    screen.append(el('div', { className: 'card' }, face(state.nickname, state.avatar), el('b', { textContent: state.nickname }), el('p', { textContent: state.id })));
    screen.append(el('h2', { textContent: texts.allowed }));
    var list = el('ul', { className: 'list' });
    state.grants.forEach(function (app) {
      list.append(row({ onclick: function () { act('revoke', { appid: app.appid }); } }, face(app.name, '', 'account'), app.name, texts.withdraw));
    });
    screen.append(state.grants.length ? list : el('p', { className: 'hint', textContent: texts.nothingAllowed }));
    screen.append(el('button', { className: 'go wide quiet', type: 'button', textContent: texts.others, onclick: function () { location.href = '/phone'; } }));
  },
  profile: function (screen) {
    var chat = account(view.appid);
    title(texts.profile, { name: 'chats' });
    screen.append(el('div', { className: 'card' }, face(chat.name, '', 'account'), el('b', { textContent: chat.name }), el('p', { textContent: chat.appid })));
    screen.append(el('button', {
      className: 'go wide', type: 'button', 'data-testid': 'follow', textContent: chat.followed ? texts.enter : texts.follow,
      onclick: function () {
        var enter = function () { show({ name: 'chat', appid: chat.appid }); };
        if (chat.followed) enter();
        else { act('follow', { appid: chat.appid }).catch(function () {}); enter(); }
      }
    }));
    if (chat.followed) screen.append(el('button', {
      className: 'go wide quiet', type: 'button', 'data-testid': 'unfollow', textContent: texts.unfollow,
      onclick: function () { act('unfollow', { appid: chat.appid }).then(function () { show({ name: 'chats' }); }); }
    }));
  }
};
function ask(id, placeholder, label, done) {
  var input = el('input', { id: id, 'data-testid': id, placeholder: placeholder, 'aria-label': label, autocomplete: 'off', spellcheck: 'false' });
  var form = el('form', { className: 'ask' }, input, el('button', { className: 'go', textContent: label }));
  form.addEventListener('submit', function (event) {
    event.preventDefault();
    done(input.value);
    input.value = '';
  });
  return form;
}
function drawDock() {
  var dock = byId('dock'), chat = view.name === 'chat' && account(view.appid), key = chat && chat.followed ? chat.appid : '';
  if (dock.dataset.chat === key) return;
  dock.dataset.chat = key;
  dock.replaceChildren();
  if (key) dock.append(ask('chat-input', '', texts.send, function (text) {
    if (text.trim()) act('say', { appid: key, text: text }).catch(function () {});
  }));
}
function title(text, back) {
  byId('title').textContent = text;
  byId('back').hidden = !back;
  byId('back').onclick = function () { show(back); };
  byId('more').hidden = true;
}
function draw() {
  var screen = byId('screen'), typed = screen.querySelector('input'), value = typed && typed.value, focused = document.activeElement === typed;
  var key = typed && typed.id, bottom = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60;
  screen.replaceChildren();
  views[view.name](screen);
  drawDock();
  var again = key && byId(key);
  if (again && value) again.value = value;
  if (again && focused) again.focus();
  if (view.name === 'chat' && bottom) screen.scrollTop = screen.scrollHeight;
  document.querySelectorAll('.tabs button').forEach(function (button) {
    if (button.dataset.view === view.name) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  });
}
`;
