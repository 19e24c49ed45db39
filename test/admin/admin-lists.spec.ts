import pg from 'pg';
import { makeManyRows, timeOfRow } from '../../bench/admin-lists/many-rows.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { countQueries, type QueryCounter, type SentStatement } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';

const USERS = 30_000;
/** As many rows as a page may read besides: each with a role, an identity and another. */
const FEW = 2_500;

/** A list and one value of each filter; those that are frequent, rare and absent must all find an index. */
const filters: Readonly<Record<string, readonly string[]>> = {
  users: [
    '',
    'q=Grace',
    'q=crm-4000',
    'q={openid}',
    'q={unionid}',
    'q={user}',
    'q=nobody',
    'nickname=Grace',
    'nickname=gr',
    'nickname=nobody',
    'nickname=Grace 0a',
    'openid={openid}',
    'unionid={unionid}',
    'external_id=crm-4000',
    'status=active',
    'status=disabled',
    'status=merged',
    'deleting=true',
    'deleting=false',
    'role=support',
    'role=admin',
    'role=none',
    'provider=wechat',
    'provider=wechat-b',
    'provider=none',
    'role=admin&status=active&provider=wechat',
  ],
  sessions: [
    '',
    'user={user}',
    'client=web',
    'client=admin-ui',
    'client=none',
    'provider=wechat',
    'provider=wechat-b',
    'provider=none',
    'method=open',
    'method=mobile',
    'method=none',
    'live=true',
    'live=false',
    'user={user}&live=true',
  ],
  logins: [
    '',
    'status=consumed',
    'status=pending',
    'status=binding',
    'error=snapshot_user',
    'error=none',
    'provider=wechat',
    'provider=wechat-b',
    'provider=none',
    'user={user}',
  ],
  audit: [
    '',
    'user={user}',
    'actor=admin_token',
    'actor=none',
    'action=user.disabled',
    'action=session.started',
    'action=none',
    'action=login.*',
    'action=user.*',
    'action=none.*',
    'provider=wechat',
    'provider=wechat-b',
    'provider=none',
    'session={session}',
    'correlation_id={correlation}',
    'from={early}',
    'to={early}',
    'from={early}&to={later}',
    'from={late}',
    'user={user}&from={early}&to={late}',
  ],
  events: [
    '',
    'status=done',
    'status=dead',
    'status=pending',
    'provider=wechat',
    'provider=wechat-b',
    'provider=none',
    'openid={openid}',
    'openid=none',
    'event=subscribe',
    'event=CLICK',
    'event=none',
  ],
};

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** Rows that a node has read, returned or thrown away. */
const readBy = (node: PlanNode) =>
  (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];

/** A partition with hardly a row PostgreSQL reads without an index, which is no work. */
const isWholeTable = (node: PlanNode) => node['Node Type'].includes('Seq Scan') && readBy(node) > 10;

describe(`admin lists among ${USERS} users`, () => {
  let world: World;
  let admin: AdminClient;
  let queries: QueryCounter;
  const values: Record<string, string> = {};

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    // Its statements may take longer than those of the module.
    const client = new pg.Client({ connectionString: world.database.url });
    await client.connect();
    await makeManyRows(client, USERS).finally(() => client.end());
    const one = async (sql: string) => String(await valueOf(world.dataSource, sql));
    values['user'] = await one('SELECT id FROM iam.users ORDER BY id OFFSET 4000 LIMIT 1');
    values['openid'] = await one('SELECT openid FROM iam.identities ORDER BY id OFFSET 4000 LIMIT 1');
    values['unionid'] = await one('SELECT unionid FROM iam.identities ORDER BY id OFFSET 4000 LIMIT 1');
    values['session'] = await one(
      'SELECT session_id FROM iam.audit_log WHERE session_id IS NOT NULL ORDER BY id LIMIT 1',
    );
    values['correlation'] = await one(
      'SELECT correlation_id FROM iam.audit_log ORDER BY id OFFSET 4000 LIMIT 1',
    );
    for (const [name, row] of [
      ['early', 2_000],
      ['later', 2_500],
      ['late', 29_500],
    ] as const)
      values[name] = timeOfRow(row).toISOString();
    queries = countQueries(world.database.url);
  }, 120_000);
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  const fill = (query: string) =>
    query.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(values[name] ?? ''));

  async function explain({ text, parameters }: SentStatement): Promise<PlanNode[]> {
    const [row] = await rowsOf(world.dataSource, `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, [...parameters]);
    const [{ Plan: plan }] = row?.['QUERY PLAN'] as [{ Plan: PlanNode }];
    return nodesOf(plan);
  }

  const cases = Object.entries(filters).flatMap(([list, each]) =>
    each.map((query) => [list, query] as const),
  );

  it.each(cases)(
    'reads a page of %s?%s in one statement that finds its rows by an index',
    async (list, query) => {
      const visits = ['', '&order=oldest', '&limit=100'].map((more) => `${list}?${fill(query)}${more}`);
      const mark = queries.mark();

      const replies = [];
      for (const visit of visits) replies.push(await admin.get(visit));
      const statements = queries.statementsSince(mark);
      const plans = await Promise.all(statements.map(explain));

      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(statements).toHaveLength(visits.length);
      for (const nodes of plans) {
        expect(nodes.filter(isWholeTable)).toEqual([]);
        // Frequent values must not be sorted in full, and rare ones not be looked for in every row.
        expect(nodes.filter((node) => readBy(node) > FEW)).toEqual([]);
      }
    },
  );

  it.each(Object.keys(filters))('reads the last page of %s as cheaply as the first', async (list) => {
    const first = await admin.get(`${list}?order=oldest&limit=2`);
    const cursor = Buffer.from(String(first.items()[1]?.['id']), 'utf8').toString('base64url');
    const mark = queries.mark();

    const last = await admin.get(`${list}?cursor=${cursor}`);
    const [statement] = queries.statementsSince(mark);
    const nodes = statement === undefined ? [] : await explain(statement);

    expect(last.items()).toHaveLength(1);
    expect(last.json()['next_cursor']).toBeNull();
    expect(nodes.filter((node) => readBy(node) > 100)).toEqual([]);
  });

  it('reads a deep page of a role and of a provider as cheaply as the first', async () => {
    const deep = Buffer.from(String(values['user']), 'utf8').toString('base64url');

    for (const filter of [
      'role=support',
      'role=admin',
      'provider=wechat',
      'provider=wechat-b',
      'status=active',
    ]) {
      const mark = queries.mark();
      const page = await admin.get(`users?${filter}&cursor=${deep}&limit=2`);
      const [statement] = queries.statementsSince(mark);
      const nodes = statement === undefined ? [] : await explain(statement);

      expect(page.items()).toHaveLength(2);
      expect({ filter, far: nodes.filter((node) => readBy(node) > 100) }).toEqual({ filter, far: [] });
    }
  });

  it('begins a page of a span of time at its end, whatever happened around it', async () => {
    for (const query of ['from={early}&to={later}', 'to={later}', 'from={early}&order=oldest']) {
      const mark = queries.mark();

      const page = await admin.get(`audit?${fill(query)}`);
      const [statement] = queries.statementsSince(mark);
      const nodes = statement === undefined ? [] : await explain(statement);

      expect(page.items()).toHaveLength(20);
      // In an hour there are 240 entries.
      expect({ query, far: nodes.filter((node) => readBy(node) > 60) }).toEqual({ query, far: [] });
    }
  });

  it('counts a thousand events of a state and reads no more, however many there are', async () => {
    const mark = queries.mark();

    const summary = await admin.get('events/summary');
    const [statement] = queries.statementsSince(mark);
    const nodes = statement === undefined ? [] : await explain(statement);

    expect(summary.json()['counts']).toEqual({ pending: 7, processing: 0, dead: 15, done: 1_000 });
    // So the plan of the prepared statement is this one.
    expect(statement?.parameters).toEqual([]);
    expect(nodes.filter((node) => isWholeTable(node) || readBy(node) > 1_010)).toEqual([]);
  });

  it('finds the oldest of many open events by one probe of each state', async () => {
    const { dataSource } = world;
    const open = (status: string, from: string) =>
      dataSource.query(
        `UPDATE iam.webhook_events SET status = '${status}' WHERE status = '${from}' AND event <> 'CLICK'`,
      );
    await open('pending', 'done');
    await dataSource.query('ANALYZE iam.webhook_events');
    const mark = queries.mark();

    const summary = await admin.get('events/summary');
    const [statement] = queries.statementsSince(mark);
    const nodes = statement === undefined ? [] : await explain(statement);
    await open('done', 'pending');

    expect(summary.json()['counts']).toMatchObject({ pending: 1_000 });
    expect(nodes.filter((node) => readBy(node) > 1_010)).toEqual([]);
  });
});
