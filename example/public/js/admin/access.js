import { currentLanguage, errorText, providerName } from '../language.js';
import { authorizeUrl, fetchJson, refresh } from '../oauth.js';
import { call, path, Problem } from './api.js';
import { adminToken, endSession, findPerson, forgetAdminToken, keepAdminToken } from './credentials.js';
import { button, card, el, field, tag } from './dom.js';
import { act, change } from './messages.js';
import { go } from './navigation.js';
import { named, say } from './say.js';

/** The demo's role that may do everything. */
const role = 'administrator';

/** Who acts in this tab: the admin token, or a person whose roles permit. */
export async function accessView(_, { failedSignIn }) {
  const person = await findPerson();
  return [
    el('p', { class: 'hint' }, say('accessHint')),
    failedSignIn ? el('p', { class: 'problem' }, errorText(failedSignIn)) : null,
    adminToken() === null ? tokenForm() : tokenInUse(),
    person === null ? await signInCard() : personCard(person),
  ];
}

function tokenForm() {
  const input = el('input', { type: 'password', name: 'token', required: true, autocomplete: 'off' });
  const submit = (event) => {
    event.preventDefault();
    void act(() => tryToken(input.value.trim()), '');
  };
  return card(
    say('byToken'),
    el(
      'form',
      { id: 'token-form', on: { submit } },
      field(say('adminToken'), input, say('adminTokenHelp')),
      el('button', { type: 'submit', class: 'button wechat' }, say('enter')),
    ),
  );
}

/** A token is kept when the API takes it; RFC 6750 leaves no other way to ask. */
async function tryToken(token) {
  if (!/^[\w.~+/=-]{32,512}$/.test(token)) throw new Problem(401, { title: say('tokenWrong') });
  keepAdminToken(token);
  try {
    await call('GET', 'keys');
  } catch (error) {
    forgetAdminToken();
    throw error.status === 401 ? new Problem(401, { title: say('tokenWrong') }) : error;
  }
  await go('#/providers');
}

const tokenInUse = () =>
  card(
    say('byToken'),
    el('p', {}, say('tokenInUse')),
    button(say('forgetToken'), 'quiet', () => change(async () => forgetAdminToken(), '')),
  );

async function signInCard() {
  const { providers } = await fetchJson('/iam/providers', { 'accept-language': currentLanguage() });
  const ways = providers.flatMap((provider) => provider.methods.map((method) => ({ provider, method })));
  const start = async (slug, method) =>
    location.assign(await authorizeUrl({ provider: slug, method }, '/admin'));
  return card(
    say('byWechat'),
    el('p', { class: 'hint' }, say('byWechatHint', { role })),
    el(
      'div',
      { class: 'ways' },
      ...ways.map(({ provider, method }) => {
        const label = `${providerName(provider)} · ${named('method', method)}`;
        const press = button(label, 'quiet', () => act(() => start(provider.slug, method), ''));
        Object.assign(press.dataset, { provider: provider.slug, method });
        return press;
      }),
    ),
    ways.length === 0 ? el('p', {}, say('openInWechat')) : null,
  );
}

function personCard({ id, nickname, roles }) {
  const name = nickname ?? say('nameless');
  const appoint = () =>
    change(
      async () => {
        await call('PUT', path('users', id, 'roles', role));
        await refresh();
      },
      say('appointed', { name }),
    );
  const canAppoint = adminToken() !== null && !roles.includes(role);
  return card(
    say('byWechat'),
    el('p', { id: 'person' }, say('signedInAs', { name }), ' ', ...roles.map((each) => tag(each))),
    canAppoint ? null : el('p', { class: 'hint' }, say(adminToken() === null ? 'personActs' : 'personWaits')),
    el(
      'div',
      { class: 'row' },
      canAppoint ? button(say('appoint', { name, role }), 'wechat', appoint) : null,
      button(say('signOut'), 'quiet danger', () => change(endSession, '')),
    ),
  );
}
