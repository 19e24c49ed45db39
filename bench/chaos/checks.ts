import type { Table } from '../group.js';
import type { People } from './people.js';
import { type Promises, pushKey } from './promises.js';
import type { Stack } from './stack.js';

const AT_ONCE = 16;

/** The promises beside what PostgreSQL has. */
export interface Verdict {
  readonly tables: readonly Table[];
  readonly isKept: boolean;
}

/** Reads the database of a run that is over, and uses every session once more. */
export async function check(stack: Stack, people: People, promises: Promises): Promise<Verdict> {
  const pushes = await checkPushes(stack, promises);
  const users = await checkUsers(stack, promises);
  const sessions = await checkSessions(stack, promises);
  const held = [...promises.sessions.values()].filter(({ isOver }) => !isOver);
  const queue = held.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const session of queue) {
        await people.refresh(session);
        await people.visit(session);
      }
    }),
  );
  const { broken } = promises;
  const seen = { promise: 'responses as they must be', promised: null, found: null, broken: broken.length };
  const rows = [...pushes.rows, ...users, ...sessions.rows, seen];
  const columns = { promise: 'promise', promised: 'promised', found: 'kept', broken: 'broken' };
  const apart = [...pushes.apart, ...sessions.apart];
  return {
    tables: [
      { title: 'Promises', columns, rows },
      { title: 'Counted apart', columns: { what: '', count: 'count' }, rows: apart },
    ],
    isKept: rows.every((row) => row.broken === 0),
  };
}

async function checkPushes({ database }: Stack, { acknowledged, givenUpPushes }: Promises) {
  const rows = await database.rows<{ message: Readonly<Record<string, unknown>> }>(
    'SELECT message FROM iam.webhook_events',
  );
  const stored = new Set(rows.map(({ message }) => pushKey(message)));
  const kept = [...acknowledged].filter((key) => stored.has(key)).length;
  const promised = acknowledged.size;
  return {
    rows: [
      { promise: 'a push acknowledged is stored', promised, found: kept, broken: promised - kept },
      {
        promise: 'a push is stored once',
        promised: stored.size,
        found: rows.length,
        broken: rows.length - stored.size,
      },
    ],
    apart: [
      { what: 'pushes stored whose acknowledgement was lost each time', count: stored.size - kept },
      { what: 'messages that WeChat gave up after three deliveries', count: givenUpPushes },
    ],
  };
}

async function checkUsers({ database }: Stack, { people }: Promises) {
  const [row] = await database.rows<{ users: number }>(
    'SELECT count(*)::int AS users FROM iam.users WHERE merged_into IS NULL',
  );
  const users = row?.users ?? 0;
  const doubled = [...people.values()].filter((ids) => ids.size > 1).length;
  return [
    {
      promise: 'users are the people who signed in',
      promised: people.size,
      found: users,
      broken: Math.abs(users - people.size),
    },
    {
      promise: 'each person is always the same user',
      promised: people.size,
      found: people.size - doubled,
      broken: doubled,
    },
  ];
}

async function checkSessions({ database }: Stack, { sessions, askedLogins }: Promises) {
  const alive = await database.rows<{ id: string; login_id: string | null; generation: number }>(
    `SELECT id, login_id, generation FROM iam.sessions
     WHERE ended_at IS NULL AND idle_expires_at > now() AND expires_at > now()`,
  );
  const rows = new Map(alive.map((row) => [row.id, row]));
  const held = [...sessions.values()].filter(({ isOver }) => !isOver);
  const kept = held.filter(({ id, generation }) => rows.get(id)?.generation === generation).length;
  const unknown = alive.filter(({ id }) => !sessions.has(id));
  const asked = unknown.filter(({ login_id }) => login_id !== null && askedLogins.has(login_id)).length;
  return {
    rows: [
      {
        promise: 'a session given out is alive, with the refresh token given last',
        promised: held.length,
        found: kept,
        broken: held.length - kept,
      },
      {
        promise: 'a session alive was asked for by its browser',
        promised: alive.length,
        found: alive.length - unknown.length + asked,
        broken: unknown.length - asked,
      },
    ],
    apart: [
      { what: 'sessions begun whose response was lost each time', count: asked },
      {
        what: 'sessions ended since a lost refresh was repeated after its grace',
        count: sessions.size - held.length,
      },
    ],
  };
}
