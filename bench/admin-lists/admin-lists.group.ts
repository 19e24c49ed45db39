import { withClient } from '../database-server.js';
import { adminToken } from '../host/host-app.js';
import type { Group, Stage, Table } from '../group.js';
import { httpShots } from '../measure/http-shots.js';
import { columns, measure } from '../measure/measure.js';
import { openWorld } from '../world.js';
import { makeManyRows, openidOf, timeOfRow, userIdOf } from './many-rows.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Lists of the admin API among a great many users. */
export const adminListsGroup: Group = {
  name: 'admin-lists',
  async run(stage): Promise<Table[]> {
    const { users } = stage.profile;
    const world = await openWorld(stage, 'admin_lists');
    await fill(stage, world.databaseUrl);
    const headers = { authorization: `Bearer ${adminToken}`, accept: 'application/json' };
    const rows: Table['rows'][number][] = [];
    for (const [name, path] of Object.entries(pathsAmong(users))) {
      stage.say(`admin-lists: ${name}`);
      const shots = httpShots({
        name,
        url: world.replica.url,
        agent: world.agent,
        status: 200,
        shooter: () => ({ next: () => ({ path: `/iam/admin/${path()}`, headers }) }),
      });
      rows.push(
        ...(await measure(shots, stage.profile, { replicas: [world.replica], wechat: world.wechat })),
      );
    }
    const { operation, perSecond, p50Ms, p99Ms, aloneMs, roundTrips, cpuMs } = columns;
    const shown = { operation, perSecond, p50Ms, p99Ms, aloneMs, roundTrips, cpuMs };
    const title = `Pages of 20 among ${users.toLocaleString('en')} users, ${stage.profile.connections} at once`;
    return [{ title, columns: shown, rows }];
  },
};

async function fill({ profile, say }: Stage, databaseUrl: string): Promise<void> {
  say(`admin-lists: rows of ${profile.users.toLocaleString('en')} users, some minutes`);
  await withClient(databaseUrl, (client) => makeManyRows(client, profile.users));
}

/** Each time another value, so that nothing is measured that is only in memory by chance. */
export function pathsAmong(users: number, rowEveryMs?: number): Readonly<Record<string, () => string>> {
  const anyRow = () => 1 + Math.floor(Math.random() * users);
  const cursor = () => Buffer.from(userIdOf(anyRow(), rowEveryMs), 'utf8').toString('base64url');
  const hex = (digits: number) =>
    Math.floor(Math.random() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0');
  const day = () => {
    const from = timeOfRow(anyRow(), rowEveryMs);
    return `from=${from.toISOString()}&to=${new Date(from.getTime() + DAY_MS).toISOString()}`;
  };
  return {
    'users: first page': () => 'users',
    'users: anywhere, by cursor': () => `users?cursor=${cursor()}`,
    'users: nickname, one in six': () => 'users?nickname=Grace',
    'users: nickname, one in 25,000': () => `users?nickname=grace%20${hex(3)}`,
    'users: openid': () => `users?openid=${openidOf(anyRow())}`,
    'users: one box, an openid': () => `users?q=${openidOf(anyRow())}`,
    'users: one box, a nickname': () => `users?q=grace%20${hex(3)}`,
    'users: role, one in ten': () => 'users?role=support',
    'users: role, anywhere by cursor': () => `users?role=support&cursor=${cursor()}`,
    'users: role, one in a thousand': () => 'users?role=admin',
    'users: provider, one in a thousand': () => 'users?provider=wechat-b',
    'user: one, with identities': () => `users/${userIdOf(anyRow(), rowEveryMs)}`,
    'sessions: first page of the live': () => 'sessions?live=true',
    'sessions: of a user': () => `sessions?user=${userIdOf(anyRow(), rowEveryMs)}`,
    'logins: failed': () => 'logins?status=failed',
    'audit: first page': () => 'audit',
    'audit: of a user': () => `audit?user=${userIdOf(anyRow(), rowEveryMs)}`,
    'audit: a day, one kind': () => `audit?action=login.*&${day()}`,
    'inbox: dead letters': () => 'events?status=dead',
    'inbox: summary': () => 'events/summary',
  };
}
