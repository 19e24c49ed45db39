import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { makeManyRows } from '../../bench/admin-lists/many-rows.js';
import { inTransaction } from '../../src/database/sql.js';
import { QrLogins } from '../../src/qr-login/qr-logins.service.js';
import { SignOut } from '../../src/sign-in/sign-out.service.js';
import {
  askForQrCode,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { countQueries, type QueryCounter, type SentStatement } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, revoke } from '../support/signed-in.js';
import { until } from '../support/until.js';

const USERS = 10_000;
const largeTables = [
  'users',
  'user_roles',
  'identities',
  'unions',
  'identity_unions',
  'sessions',
  'logins',
  'audit_log',
  'webhook_events',
];

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Filter?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Indexes for the lists of administrators: all logins of a status or provider are many, whoever is meant. */
const isWide = (node: PlanNode): boolean =>
  /^logins_(status|provider)_idx$/.test(node['Index Name'] ?? '') &&
  !/\bid = /.test(node['Index Cond'] ?? '');

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** After five runs PostgreSQL may plan a prepared statement once for all values: a plan that suits no value would stay. */
describe(`the generic plans of prepared statements among ${USERS} users`, () => {
  let world: World;
  let queries: QueryCounter;
  let client: pg.Client;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { options: { sessionCheck: 'always' } });
    const { appid: open_app_id, secret: open_app_secret } = world.site;
    await world.saveProvider({ slug: 'pc', name: '网页', open_app_id, open_app_secret });
    client = new pg.Client({ connectionString: world.database.url });
    await client.connect();
    await makeManyRows(client, USERS);
    await client.query('SET plan_cache_mode = force_generic_plan');
    queries = countQueries(world.database.url);
  }, 60_000);
  afterAll(async () => {
    queries.stop();
    await client.end();
    await world.close();
  });

  const follow = async () => {
    const person = world.wechat.person({ nickname: '扫' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    await decideOnPhone(world, person, 'confirm');
    return toTokens(await pollUntilSettled(world.url, device));
  };
  const person = () => world.wechat.person({ nickname: '面' });
  const onPage = { provider: 'pc' };
  const waiting = randomUUID();

  async function planOf({ text, parameters }: SentStatement): Promise<PlanNode[]> {
    const values = parameters.map(() => 'NULL').join(', ');
    await client.query(`PREPARE hot AS ${text}`);
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (FORMAT JSON) EXECUTE hot${values === '' ? '' : `(${values})`}`,
    );
    await client.query('DEALLOCATE hot');
    return rows.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan));
  }

  const wholeTables = (nodes: readonly PlanNode[]) =>
    nodes
      .filter((node) => node['Node Type'].includes('Seq Scan') || isWide(node))
      .flatMap((node) => node['Relation Name'] ?? node['Index Name'] ?? [])
      // A partition's name begins with that of its table.
      .filter((name) => largeTables.some((table) => name === table || name.startsWith(`${table}_`)));
  /** Conditions that compare each row with each of many ids. */
  const walks = (nodes: readonly PlanNode[]) =>
    nodes.flatMap(({ Filter: filter = '' }) => (/[ (]id = ANY \(\$\d+\)/.test(filter) ? [filter] : []));

  it.each<[flow: string, run: () => Promise<unknown>]>([
    ['the first sign-in and a later one', signInTwice],
    ['a sign-in inside WeChat', () => inWechat(world, person())],
    ['a sign-in by following', follow],
    ['a refresh, its repetition and the end', refreshAndEnd],
    ['the pushes of a follower', pushes],
    ['a look at those that wait', () => world.app.get(QrLogins).findChanged([waiting], [waiting])],
    ['what a person withdraws, and the end of their account', withdrawals],
    ['an identity that its user gives up', unlinkOne],
  ])('read large tables by index, and compare no row with many ids: %s', async (_flow, run) => {
    const mark = queries.mark();

    await run();

    const statements = queries.statementsSince(mark).filter(({ text }) => text.includes('iam.'));
    const whole: Record<string, string[]> = {};
    for (const statement of statements) {
      const nodes = await planOf(statement);
      const slow = [...wholeTables(nodes), ...walks(nodes)];
      if (slow.length > 0) whole[statement.text] = slow;
    }
    expect(statements.length).toBeGreaterThan(0);
    expect(whole).toEqual({});
  });

  async function signInTwice(): Promise<void> {
    const lan = person();
    await onPc(world, lan, onPage);
    const { accessToken } = await onPc(world, lan, onPage);
    await getWith(`${world.url}/iam/me`, accessToken);
  }
  async function refreshAndEnd(): Promise<void> {
    const { refreshToken } = await onPc(world, person(), onPage);
    await refresh(world.url, refreshToken);
    const { refresh_token: next } = (await refresh(world.url, refreshToken)).json();
    await revoke(world.url, String(next));
  }
  async function withdrawals(): Promise<void> {
    const follower = person();
    await inWechat(world, follower);
    const OpenID = follower.openid(world.oa);
    const change = {
      MsgType: 'event',
      FromUserName: OpenID,
      OpenID,
      AppID: world.oa.appid,
      RevokeInfo: '301',
    };
    for (const Event of ['user_authorization_revoke', 'user_authorization_cancellation']) {
      await world.oa.push({ ...change, Event, CreateTime: Math.floor(Date.now() / 1000) });
      await until('it was worked off', async () => {
        const open = `/* background */ SELECT count(*)::int FROM iam.webhook_events WHERE event = $1 AND status <> 'done'`;
        return (await valueOf(world.dataSource, open, [Event])) === 0;
      });
    }
  }
  async function unlinkOne(): Promise<void> {
    const lan = person();
    await inWechat(world, lan);
    const openid = lan.openid(world.oa);
    const [row] = await rowsOf(world.dataSource, 'SELECT id, user_id FROM iam.identities WHERE openid = $1', [
      openid,
    ]);
    const [userId, id] = [String(row?.['user_id']), String(row?.['id'])];
    await inTransaction(world.dataSource, (manager) =>
      world.app.get(SignOut).unlink(manager, userId, id, { evenLast: true }),
    );
  }
  async function pushes(): Promise<void> {
    const follower = person();
    await follower.follow(world.oa);
    await follower.unfollow(world.oa);
  }
});
