import { column, state } from './columns.js';
import { el } from './dom.js';
import { listView } from './list.js';
import { named, say } from './say.js';

const states = [
  'pending',
  'scanned',
  'confirmed',
  'authenticated',
  'binding',
  'consumed',
  'denied',
  'failed',
  'expired',
];

/** Sign-in attempts, and why some failed. */
export async function loginsView() {
  const list = await listView({
    path: 'logins',
    filters: [
      { name: 'status', label: say('state'), options: states.map((code) => [code, named('status', code)]) },
      { name: 'error', label: say('error') },
      { name: 'provider', label: say('provider') },
      { name: 'user', label: say('userId') },
    ],
    columns: [
      column.time('created_at', say('when')),
      { label: say('state'), cell: ({ status }) => state(status) },
      column.code('error', say('error')),
      column.text('provider', say('provider')),
      { label: say('method'), cell: ({ method }) => named('method', method) },
      column.user(),
      column.place(),
    ],
  });
  return [el('p', { class: 'hint' }, say('loginsHint')), ...list];
}
