import { codeOf, fetchJson, iam, IamClientError, tokenEnd } from './iam.js';
import { currentLanguage, errorText, speak, text } from './language.js';

const element = (id) => document.getElementById(id);
const prices = { longjing: '¥28', puer: '¥32', jasmine: '¥26' };
const view = { me: null, member: null, orders: [], failure: null, refreshed: false, end: null };

speak(render);
void begin();

async function begin() {
  try {
    const user = await iam.getUser();
    if (user === null) return location.replace('/');
    [view.end, view.orders] = await Promise.all([tokenEnd(), fetchJson('/orders')]);
    if (user.external_id !== null) view.member = await fetchJson('/members/me').catch(() => null);
    view.me = user;
  } catch (error) {
    if (error.code === 'binding_required') return location.replace('/members');
    fail(error);
  }
  render();
}

function fail(error) {
  view.failure = codeOf(error);
}

function render() {
  document.title = text('shop');
  const { me, failure } = view;
  element('wait').hidden = me !== null || failure !== null;
  element('failed').hidden = failure === null;
  element('home').hidden = me === null || failure !== null;
  if (failure !== null) {
    element('reason').textContent = errorText(failure);
    element('reason-code').textContent = failure;
  } else if (me !== null) renderHome(me);
}

function renderHome(me) {
  const name = me.nickname ?? text('nameless');
  element('nickname').textContent = name;
  element('user-id').textContent = me.id;
  for (const id of ['member-title', 'member']) element(id).hidden = view.member === null;
  element('member').textContent = view.member?.name;
  element('face').replaceChildren(me.avatar_url === null ? [...name][0] : picture(me.avatar_url));
  const kinds = [...new Set(me.identities.map(({ kind }) => kind))];
  element('identities').replaceChildren(...kinds.map((kind) => item(text(`identity_${kind}`))));
  element('teas').replaceChildren(...Object.keys(prices).map(teaButton));
  element('orders').replaceChildren(...view.orders.map(orderRow));
  element('no-orders').hidden = view.orders.length > 0;
  const time = view.end.toLocaleTimeString(currentLanguage());
  element('session').textContent = text(view.refreshed ? 'refreshed' : 'session', { time });
}

function teaButton(tea) {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'tea' });
  button.dataset.tea = tea;
  const lines = [text(tea), text(`${tea}From`), prices[tea]].map((line) => {
    const span = document.createElement('span');
    span.textContent = line;
    return span;
  });
  button.append(...lines);
  button.addEventListener('click', () => act(() => order(tea)));
  return button;
}

function orderRow({ tea, createdAt }) {
  const row = item(text(tea));
  const time = document.createElement('time');
  time.dateTime = createdAt;
  time.textContent = new Date(createdAt).toLocaleString(currentLanguage());
  row.append(time);
  return row;
}

function picture(url) {
  const image = document.createElement('img');
  Object.assign(image, { src: url, alt: '', referrerPolicy: 'no-referrer' });
  return image;
}

function item(label) {
  const row = document.createElement('li');
  row.textContent = label;
  return row;
}

async function order(tea) {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tea }),
  };
  view.orders = [await fetchJson('/orders', init), ...view.orders];
}

/** Runs what a button does and shows the result or why there is none. */
async function act(work) {
  try {
    await work();
  } catch (error) {
    fail(error);
  }
  render();
}

element('refresh').addEventListener('click', () =>
  act(async () => {
    await iam.refresh();
    if ((await iam.getAccessToken()) === null) throw new IamClientError('invalid_grant');
    Object.assign(view, { refreshed: true, end: await tokenEnd() });
  }),
);
element('sign-out').addEventListener('click', async () => {
  await iam.signOut().catch(() => undefined);
  location.assign('/');
});
