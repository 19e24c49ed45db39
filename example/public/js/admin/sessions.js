import { call, path } from './api.js';
import { column, state } from './columns.js';
import { button } from './dom.js';
import { ask } from './dialog.js';
import { listView } from './list.js';
import { change } from './messages.js';
import { named, say } from './say.js';

/** Who is signed in, and who was. */
export const sessionsView = () =>
  listView({
    path: 'sessions',
    filters: [
      { name: 'user', label: say('userId') },
      { name: 'provider', label: say('provider') },
      {
        name: 'live',
        label: say('state'),
        options: [
          ['true', say('status_live')],
          ['false', say('status_over')],
        ],
      },
    ],
    columns: sessionColumns(),
  });

/** The columns of a list of sessions. */
export const sessionColumns = () => [
  column.time('last_used_at', say('lastUsed')),
  column.user(),
  column.text('provider', say('provider')),
  { label: say('method'), cell: ({ method }) => named('method', method) },
  column.place(),
  {
    label: say('state'),
    cell: ({ live, end_reason: reason }) => [
      state(live ? 'live' : 'over'),
      reason === null ? null : ` ${named('end', reason)}`,
    ],
  },
  {
    label: say('actions'),
    cell: ({ id, live }) => (live ? button(say('end'), 'small danger', () => end(id)) : null),
  },
];

const end = (id) =>
  change(async () => {
    const question = { title: say('endSession'), text: say('endSessionText'), action: say('end') };
    if (!(await ask(question))) return false;
    await call('DELETE', path('sessions', id));
  }, say('sessionEnded'));
