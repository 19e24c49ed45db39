import { randomUUID } from 'node:crypto';
import type { Person } from '../../emulator/index.js';
import { pathsAmong } from '../admin-lists/admin-lists.group.js';
import { pushShot, textFields } from '../follow/pushes.js';
import { adminToken } from '../host/host-app.js';
import { closedLoop } from '../measure/closed-loop.js';
import { httpShots } from '../measure/http-shots.js';
import type { Operation, Step } from '../measure/operation.js';
import { signIn, type Tokens } from '../sign-in/redirect-client.js';
import { refreshing } from '../sign-in/requests.js';
import type { World } from '../world.js';
import type { FilledDatabase } from './databases.js';

/** What makes load. */
export type Load = Pick<Operation, 'load'>;

/** Pages of the admin API whose cost could grow with the tables. */
const adminPages = [
  'users: first page',
  'users: anywhere, by cursor',
  'users: nickname, one in six',
  'users: openid',
  'user: one, with identities',
  'sessions: first page of the live',
  'sessions: of a user',
  'audit: first page',
  'audit: of a user',
  'audit: a day, one kind',
  'inbox: summary',
];

const plain: Step = (_name, work) => work();

/** Who is there, and how many connections will make the load. */
export interface Cast {
  readonly database: FilledDatabase;
  readonly people: readonly Person[];
  readonly connections: number;
}

/** Signs everybody in once, which reads their rows from the disk; then what is measured, by name. */
export async function operationsOn(
  world: World,
  { database, people, connections }: Cast,
): Promise<ReadonlyMap<string, Load>> {
  const sessions = await signInAll(world, people, connections);
  const { agent, wechat } = world;
  const { url } = world.replica;
  let turn = 0;
  const returning = closedLoop('returning sign-in', async (step) => {
    const person = people[(turn += 1) % people.length];
    if (person !== undefined) await signIn(world, person, step);
  });
  const first = closedLoop('first sign-in', async (step) => {
    await signIn(world, wechat.person({ nickname: '小兰', id: randomUUID() }), step);
  });
  const refresh = httpShots({
    name: 'refresh',
    url,
    agent,
    status: 200,
    shooter: refreshing(sessions, connections),
  });
  const push = httpShots({
    name: 'push: a message in the chat',
    url,
    agent,
    status: 200,
    shooter: () => ({ next: () => pushShot(world, textFields()) }),
  });
  const paths = pathsAmong(database.users, database.rowEveryMs);
  const headers = { authorization: `Bearer ${adminToken}`, accept: 'application/json' };
  const pages = adminPages.map((name) => {
    const path = paths[name];
    if (path === undefined) throw new TypeError(name);
    const shooter = () => ({ next: () => ({ path: `/iam/admin/${path()}`, headers }) });
    return httpShots({ name, url, agent, status: 200, shooter });
  });
  const all = [returning, refresh, first, push, ...pages];
  return new Map(all.map((operation) => [operation.name, operation]));
}

async function signInAll(world: World, people: readonly Person[], workers: number): Promise<Tokens[]> {
  const sessions: Tokens[] = [];
  const left = [...people];
  const work = async () => {
    for (let person = left.pop(); person !== undefined; person = left.pop())
      sessions.push(await signIn(world, person, plain));
  };
  await Promise.all(Array.from({ length: workers }, work));
  return sessions;
}
