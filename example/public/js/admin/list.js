import { call } from './api.js';
import { button, el, field, hashOf, select } from './dom.js';
import { complain } from './messages.js';
import { currentRoute, go } from './navigation.js';
import { say } from './say.js';

/**
 * A list of the admin API: filters (`{ name, label, options }`, free text without options), a table of `columns`
 * (`{ label, cell }`), and a button for the next page while there is one.
 */
export async function listView({ path, filters = [], columns, fixed = {} }) {
  const { segments, query } = currentRoute();
  const rows = el('tbody');
  const nothing = el('p', { class: 'hint', hidden: true }, say('nothing'));
  let cursor = '';
  const load = async () => {
    const { body } = await call('GET', path, { query: { ...query, ...fixed, cursor } });
    rows.append(...body.items.map((item) => row(columns, item)));
    cursor = body.next_cursor ?? '';
    more.hidden = cursor === '';
    nothing.hidden = rows.childElementCount > 0;
  };
  const more = button(say('more'), 'quiet more', () => load().catch(complain));
  await load();
  const heads = columns.map(({ label }) => el('th', { scope: 'col' }, label));
  return [
    filters.length > 0 ? filterForm(filters, segments, query) : null,
    el('div', { class: 'sheet' }, el('table', {}, el('thead', {}, el('tr', {}, ...heads)), rows)),
    nothing,
    more,
  ];
}

function row(columns, item) {
  const cells = columns.map(({ label, cell }) => {
    const content = [cell(item)].flat().filter((part) => part !== null && part !== undefined && part !== '');
    return el('td', { 'data-label': label }, el('div', {}, ...(content.length > 0 ? content : ['–'])));
  });
  return el('tr', {}, ...cells);
}

function filterForm(filters, segments, query) {
  const controls = filters.map((filter) => [filter, control(filter, query[filter.name] ?? '')]);
  const values = () =>
    Object.fromEntries(controls.map(([filter, input]) => [filter.name, valueOf(filter, input)]));
  const submit = (event) => {
    event.preventDefault();
    go(hashOf(segments, values()));
  };
  const form = el(
    'form',
    { class: 'filters', role: 'search', on: { submit } },
    ...controls.map(([{ label }, input]) => field(label, input)),
    el('button', { type: 'submit', class: 'button quiet' }, say('search')),
  );
  const isOpen = matchMedia('(min-width: 48rem)').matches || filters.some(({ name }) => query[name]);
  return el('details', { class: 'narrow', open: isOpen }, el('summary', {}, say('filter')), form);
}

function control({ name, options, type = 'search' }, value) {
  if (options !== undefined) return select({ name }, [['', say('all')], ...options], value);
  return el('input', { name, type, value: type === 'datetime-local' ? localTime(value) : value });
}

/** The API takes times with their zone; the input has the reader's. */
function valueOf({ type }, { value }) {
  const text = value.trim();
  return type === 'datetime-local' && text !== '' ? new Date(text).toISOString() : text;
}

function localTime(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
