import { column } from './columns.js';
import { el, link } from './dom.js';
import { listView } from './list.js';
import { say } from './say.js';

/** Who did what. */
export const auditView = () =>
  listView({
    path: 'audit',
    filters: [
      { name: 'action', label: say('actionFilter') },
      { name: 'user', label: say('userId') },
      { name: 'actor', label: say('actor') },
      { name: 'provider', label: say('provider') },
      { name: 'correlation_id', label: say('correlationId') },
      { name: 'from', label: say('from'), type: 'datetime-local' },
      { name: 'to', label: say('to'), type: 'datetime-local' },
    ],
    columns: [
      column.time('at', say('when')),
      column.code('action', say('action')),
      { label: say('actor'), cell: ({ actor }) => actor && actorOf(actor) },
      column.user(),
      column.text('provider', say('provider')),
      column.place(),
      { label: say('detail'), cell: ({ detail }) => detailOf(detail) },
    ],
  });

function actorOf(actor) {
  const [kind, id] = actor.split(':');
  return kind === 'user' && id !== undefined ? link(id.slice(-8), 'users', id) : el('code', {}, actor);
}

function detailOf(detail) {
  const members = Object.entries(detail).filter(([, value]) => value !== null);
  if (members.length === 0) return null;
  const lines = members.map(([name, value]) =>
    el('div', {}, `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`),
  );
  return el('div', { class: 'soft detail' }, ...lines);
}
