import { card, el, field } from './dom.js';
import { named, say } from './say.js';

/** As the API takes it. */
const permissionForm = /^(\*|[a-z0-9_-]+(:[a-z0-9_-]+)*(:\*)?)$/;
const linesOf = ({ value }) => value.split(/\s+/).filter((line) => line !== '');

/** A form for a role, or for a new one; `save` gets what it is to hold. */
export function roleForm(role, known, save) {
  const held = new Set(role?.permissions);
  const name = el('input', {
    name: 'name',
    required: true,
    pattern: '[a-z0-9][a-z0-9_\\-]{0,62}',
    title: say('roleNameHelp'),
    disabled: role !== null,
  });
  name.value = role?.name ?? '';
  const description = el('input', { name: 'description', maxlength: '500' });
  description.value = role?.description ?? '';
  const boxes = known.map((permission) => box(permission, held.has(permission.name)));
  const others = el('textarea', { name: 'others', rows: '4', spellcheck: 'false' });
  const names = known.map((permission) => permission.name);
  others.value = [...held].filter((permission) => !names.includes(permission)).join('\n');
  others.addEventListener('input', () => {
    const wrong = linesOf(others).find((line) => !permissionForm.test(line));
    others.setCustomValidity(wrong === undefined ? '' : `${wrong}: ${say('otherPermissionsHelp')}`);
  });
  const isDefault = el('input', { type: 'checkbox', name: 'is_default', checked: role?.is_default === true });
  const submit = (event) => {
    event.preventDefault();
    const written = linesOf(others);
    const ticked = boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
    void save({
      name: name.value.trim(),
      description: description.value.trim(),
      permissions: inOrder(role, [...ticked, ...written]),
      is_default: isDefault.checked,
    });
  };
  return el(
    'form',
    { id: 'role', on: { submit } },
    card(
      role?.name ?? say('newRole'),
      field(say('name'), name, say('roleNameHelp')),
      field(say('description'), description),
      el('label', { class: 'check' }, isDefault, say('forNewUsersHelp')),
    ),
    card(
      say('permissions'),
      el('div', { class: 'checks' }, ...boxes.map(({ label }) => label)),
      field(say('otherPermissions'), others, say('otherPermissionsHelp')),
    ),
    el('button', { type: 'submit', class: 'button wechat' }, say('save')),
  );
}

function box({ name, meaning }, isHeld) {
  const input = el('input', { type: 'checkbox', value: name, checked: isHeld });
  const label = el(
    'label',
    { class: 'check' },
    input,
    el('span', {}, el('code', {}, name), ' ', known(name, meaning)),
  );
  return { input, label };
}

/** The API explains permissions in English. */
const known = (name, meaning) => {
  const text = named('permission', name);
  return text === name ? meaning : text;
};

/** What was there stays in its place, so that an untouched list is no change. */
function inOrder(role, permissions) {
  const chosen = new Set(permissions);
  const kept = (role?.permissions ?? []).filter((permission) => chosen.has(permission));
  return [...new Set([...kept, ...permissions])];
}
