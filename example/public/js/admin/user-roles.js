import { call, path } from './api.js';
import { button, card, el, field, select } from './dom.js';
import { change } from './messages.js';
import { say } from './say.js';

/** The roles of a user, to give and to take. */
export async function rolesCard(user) {
  const names = await call('GET', 'roles', { query: { limit: '100' } }).then(
    ({ body }) => body.items.map(({ name }) => name).filter((name) => !user.roles.includes(name)),
    () => [],
  );
  return card(
    say('roles'),
    el('ul', { class: 'plain-list' }, ...user.roles.map((role) => held(user, role))),
    names.length === 0 ? null : giveForm(user, names),
  );
}

const held = (user, role) =>
  el(
    'li',
    {},
    el('span', { class: 'tag quiet' }, role),
    button(say('takeRole', { role }), 'small danger', () =>
      change(() => call('DELETE', path('users', user.id, 'roles', role)), say('roleTaken', { role })),
    ),
  );

function giveForm(user, names) {
  const chosen = select(
    { name: 'role' },
    names.map((name) => [name, name]),
  );
  const submit = (event) => {
    event.preventDefault();
    const role = chosen.value;
    void change(() => call('PUT', path('users', user.id, 'roles', role)), say('roleGiven', { role }));
  };
  return el(
    'form',
    { class: 'inline', on: { submit } },
    field(say('giveRole'), chosen, say('giveRoleHelp')),
    el('button', { type: 'submit', class: 'button quiet' }, say('give')),
  );
}
