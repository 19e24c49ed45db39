import { column, state } from './columns.js';
import { link, tag } from './dom.js';
import { listView } from './list.js';
import { named, say } from './say.js';
import { userView } from './user.js';

/** People: the list, or one of them. */
export const usersView = ([id]) => (id === undefined ? list() : userView(id));

const list = () =>
  listView({
    path: 'users',
    filters: [
      { name: 'q', label: say('userSearch') },
      {
        name: 'status',
        label: say('state'),
        options: ['active', 'disabled', 'merged'].map((code) => [code, named('status', code)]),
      },
      { name: 'role', label: say('role') },
      { name: 'provider', label: say('provider') },
    ],
    columns: [
      {
        label: say('nickname'),
        cell: ({ id, nickname }) => link(nickname ?? say('nameless'), 'users', id),
      },
      column.code('id', say('userId')),
      column.text('external_id', say('externalId')),
      { label: say('state'), cell: ({ status }) => state(status) },
      { label: say('roles'), cell: ({ roles }) => roles.map((role) => tag(role)) },
      column.text('identity_count', say('identities')),
      column.time('created_at', say('created')),
    ],
  });
