import { call, path } from './api.js';
import { button, el } from './dom.js';
import { act, announce, complain, hush } from './messages.js';
import { reload } from './navigation.js';
import { controlOf } from './provider-controls.js';
import { groups } from './provider-fields.js';
import { say } from './say.js';

/** A form with every column. `view` is the row as it was read, or null for a new one; `save` gets what was written. */
export function providerForm(view, save) {
  const controls = [];
  const fieldsets = groups.map(({ id, fields }) => {
    const shown = fields.filter(({ column }) => view === null || column !== 'slug');
    const own = shown.map((spec) => controlOf(spec, view));
    controls.push(...own);
    return el(
      'fieldset',
      { class: 'card', 'data-group': id },
      el('legend', {}, say(`group_${id}`)),
      el('p', { class: 'hint' }, say(`group_${id}_help`)),
      ...own.map(({ element }) => element),
    );
  });
  const notice = el('div', { class: 'notice', role: 'alert', hidden: true });
  const submit = (event) => {
    event.preventDefault();
    void save(changesOf(controls), { controls, notice });
  };
  return el(
    'form',
    { id: 'provider', on: { submit } },
    ...fieldsets,
    notice,
    el('button', { type: 'submit', class: 'button wechat' }, say(view === null ? 'create' : 'save')),
  );
}

const changesOf = (controls) =>
  Object.fromEntries(
    controls.filter((control) => control.isChanged()).map((control) => [control.column, control.value()]),
  );

/** The form of a row that exists: sends what was changed, based on the version that was read. */
export function editForm(view) {
  let base = view;
  return providerForm(view, async function save(changes, parts) {
    hush();
    if (Object.keys(changes).length === 0) return announce(say('nothingChanged'));
    try {
      await call('PATCH', path('providers', view.slug), { body: changes, etag: base.etag });
      await reload();
      announce(say('savedProvider'));
    } catch (error) {
      if (error.status !== 412) return complain(error);
      const { body: newer } = await call('GET', path('providers', view.slug));
      showConflict({ ...parts, base, newer, title: error.message });
      base = newer;
    }
  });
}

/** Somebody else was quicker: what they changed, and whether to go on from there. */
function showConflict({ controls, notice, base, newer, title }) {
  const theirs = [...Object.keys(newer), ...Object.keys(newer.secrets)].filter(
    (column) => isColumn(controls, column) && valueOf(base, column) !== valueOf(newer, column),
  );
  for (const control of controls) control.adopt(newer);
  notice.hidden = false;
  notice.replaceChildren(
    el('strong', {}, title),
    el('p', {}, say('conflictText')),
    el('ul', {}, ...theirs.map((column) => el('li', {}, `${say(`p_${column}`)}: ${shown(newer, column)}`))),
    el(
      'div',
      { class: 'row' },
      button(say('takeTheirs'), 'quiet', () => act(reload, '')),
      el('button', { type: 'submit', class: 'button wechat' }, say('saveMine')),
    ),
  );
  notice.scrollIntoView({ block: 'center' });
}

const isColumn = (controls, column) => controls.some((control) => control.column === column);
const valueOf = (view, column) => view.secrets[column] ?? view[column];
const shown = (view, column) => {
  const value = valueOf(view, column);
  if (value === null) return say('secretUnset');
  return typeof value === 'boolean' ? say(value ? 'yes' : 'no') : value;
};
