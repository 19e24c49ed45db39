/** The chat's part of the phone's script: bubbles, cards, links that open in the web view. Runs in the browser. */
export const chatScript = `
function linked(text, from) {
  var bubble = el('span', { className: 'bubble' }), rest = text, found;
  var link = /<a\\s[^>]*?href\\s*=\\s*(?:"([^"]*)"|'([^']*)')[^>]*>([\\s\\S]*?)<\\/a>/i;
  while ((found = link.exec(rest))) {
    bubble.append(rest.slice(0, found.index), anchor(found[1] || found[2] || '', found[3], from));
    rest = rest.slice(found.index + found[0].length);
  }
  bubble.append(rest);
  return bubble;
}
function anchor(href, label, from, className) {
  var url = href.replace(/&amp;/g, '&');
  var node = el('a', { href: url, className: className || '', 'data-testid': 'link' });
  if (typeof label === 'string') node.textContent = label; else node.append.apply(node, label);
  node.addEventListener('click', function (event) {
    event.preventDefault();
    openWeb(url, from);
  });
  return node;
}
function messageLine(chat, message) {
  if (message.from === 'wechat') return el('div', { className: 'line wechat', 'data-testid': 'notice' }, el('span', { className: 'bubble', textContent: message.text }));
  var mine = message.from === 'person';
  var picture = mine ? face(state.nickname, state.avatar) : face(chat.name, '', 'account');
  return el('div', { className: 'line ' + message.from, 'data-testid': 'message', 'data-from': message.from }, picture, content(chat, message, mine));
}
function content(chat, message, mine) {
  if (message.type === 'news') {
    var card = message.articles[0];
    var image = /^https?:/.test(card.picUrl) ? el('img', { src: card.picUrl, alt: '' }) : null;
    var parts = [image, el('b', { textContent: card.title }), el('span', { textContent: card.description })].filter(Boolean);
    return anchor(card.url, parts, chat.appid, 'news');
  }
  if (mine) return el('span', { className: 'bubble', textContent: message.text });
  if (message.type === 'text') return linked(message.text, chat.appid);
  return el('span', { className: 'bubble', textContent: '[' + message.type + '] ' + message.text });
}
views.chat = function (screen) {
  var chat = account(view.appid);
  title(chat.name, { name: 'chats' });
  byId('more').hidden = false;
  byId('more').onclick = function () { show({ name: 'profile', appid: chat.appid }); };
  var list = el('div', { className: 'chat', role: 'log', 'aria-live': 'polite' });
  chat.messages.forEach(function (message) { list.append(messageLine(chat, message)); });
  screen.append(list);
};
`;
