import { call, path } from './api.js';
import { ask } from './dialog.js';
import { button, el, hashOf, link, tag } from './dom.js';
import { listView } from './list.js';
import { act } from './messages.js';
import { go } from './navigation.js';
import { roleForm } from './role-form.js';
import { say } from './say.js';

/** Roles: the list, a new one, or one of them. */
export const rolesView = ([name]) => (name === undefined ? list() : name === '+' ? create() : edit(name));

async function list() {
  const rows = await listView({
    path: 'roles',
    filters: [{ name: 'q', label: say('beginning') }],
    columns: [
      { label: say('name'), cell: ({ name }) => link(name, 'roles', name) },
      { label: say('permissions'), cell: ({ permissions }) => permissions.map((each) => tag(each)) },
      { label: say('description'), cell: ({ description }) => description },
      { label: say('forNewUsers'), cell: (role) => (role.is_default ? tag(say('yes'), 'good') : null) },
    ],
  });
  return [
    el('p', { class: 'hint' }, say('rolesHint')),
    el('p', {}, el('a', { class: 'button wechat', href: hashOf(['roles', '+']) }, say('newRole'))),
    ...rows,
  ];
}

async function create() {
  const { body: known } = await call('GET', 'permissions');
  const save = (body) =>
    act(async () => {
      const { body: role } = await call('POST', 'roles', { body });
      await go(hashOf(['roles', role.name]));
    }, say('saved'));
  return [el('p', {}, link(`← ${say('roles')}`, 'roles')), roleForm(null, known.items, save)];
}

async function edit(name) {
  const [{ body: role, etag }, { body: known }] = await Promise.all([
    call('GET', path('roles', name)),
    call('GET', 'permissions'),
  ]);
  const save = (written) =>
    act(async () => {
      await call('PATCH', path('roles', name), { body: changesOf(role, written), etag });
      await go(hashOf(['roles']));
    }, say('saved'));
  const remove = () =>
    act(async () => {
      const question = { title: say('deleteRole'), text: say('deleteRoleText'), action: say('delete') };
      if (!(await ask({ ...question, word: name }))) return false;
      await call('DELETE', path('roles', name), { etag });
      await go(hashOf(['roles']));
    }, say('deleted'));
  return [
    el('p', {}, link(`← ${say('roles')}`, 'roles')),
    roleForm(role, known.items, save),
    el('p', {}, button(say('deleteRole'), 'quiet danger', remove)),
  ];
}

/** What is left out stays, and needs no right to hand it out. */
const changesOf = (role, written) =>
  Object.fromEntries(
    Object.entries(written).filter(
      ([member, value]) => JSON.stringify(value) !== JSON.stringify(role[member]),
    ),
  );
