import pg from 'pg';
import { AdminClient, adminOptions, type AdminReply } from '../support/admin.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { approveOnPc, redeem, returnFromPc } from '../support/sign-in.js';
import { approveInWechat, inWechat, onPc, refresh } from '../support/signed-in.js';

const minutes = 60_000;
const ROUNDS = 12;

/** What must never be found, whatever raced: security.md I1, I5, I6, and that the audit log tells every change. */
const broken = {
  'something of a merged user': `
    SELECT u.id FROM iam.users u WHERE u.status = 'merged' AND (
      EXISTS (SELECT 1 FROM iam.identities i WHERE i.user_id = u.id) OR EXISTS (SELECT 1 FROM iam.unions n WHERE n.user_id = u.id)
      OR EXISTS (SELECT 1 FROM iam.sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL)
      OR EXISTS (SELECT 1 FROM iam.user_roles r WHERE r.user_id = u.id)
      OR EXISTS (SELECT 1 FROM iam.logins l WHERE l.user_id = u.id AND l.status = 'authenticated'))`,
  'a user merged into one that is merged': `
    SELECT u.id FROM iam.users u JOIN iam.users n ON n.id = u.merged_into WHERE n.status = 'merged'`,
  'a live session of a disabled user': `
    SELECT s.id FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id WHERE u.status = 'disabled' AND s.ended_at IS NULL`,
  'a row of nobody': `
    SELECT i.user_id FROM iam.identities i LEFT JOIN iam.users u ON u.id = i.user_id WHERE u.id IS NULL
    UNION ALL SELECT r.user_id FROM iam.user_roles r LEFT JOIN iam.users u ON u.id = r.user_id WHERE u.id IS NULL`,
  'an identity whose unionid belongs to another user': `
    SELECT i.id FROM iam.identities i LEFT JOIN iam.unions n ON n.union_scope = i.union_scope AND n.unionid = i.unionid
    WHERE i.unionid IS NOT NULL AND n.user_id IS DISTINCT FROM i.user_id`,
  'a merge without exactly one audit entry': `
    SELECT u.id FROM iam.users u WHERE u.status = 'merged'
    AND (SELECT count(*) FROM iam.audit_log a WHERE a.action = 'user.merged' AND a.detail->>'from' = u.id::text) <> 1`,
  'a state that the last audit entry does not tell': `
    SELECT u.id FROM iam.users u CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE a.action = 'user.disabled') - count(*) FILTER (WHERE a.action = 'user.enabled') AS bans
      FROM iam.audit_log a WHERE a.user_id = u.id) told
    WHERE u.status <> 'merged' AND told.bans <> CASE u.status WHEN 'disabled' THEN 1 ELSE 0 END`,
  'a role that the audit log does not tell': `
    SELECT r.user_id FROM iam.user_roles r
    WHERE NOT EXISTS (
      SELECT 1 FROM iam.audit_log a WHERE a.action = 'user.role_assigned' AND a.user_id IN (
        SELECT u.id FROM iam.users u WHERE u.id = r.user_id OR u.merged_into = r.user_id))`,
  'an erased user whom something still names': `
    SELECT a.user_id FROM iam.audit_log a WHERE a.action = 'user.erased' AND (
      EXISTS (SELECT 1 FROM iam.users u WHERE u.id = a.user_id) OR EXISTS (SELECT 1 FROM iam.sessions s WHERE s.user_id = a.user_id)
      OR EXISTS (SELECT 1 FROM iam.logins l WHERE l.user_id = a.user_id))`,
};

describe('administrators on two replicas who merge, ban, erase and give roles while the people sign in', () => {
  let world: World;
  let replica: IamApp;
  let here: AdminClient;
  let there: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    replica = await startReplica(world, { options: adminOptions });
    here = new AdminClient(world.url);
    there = new AdminClient(replica.url);
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions) VALUES ('support', '{tickets:*}')`,
    );
  });
  afterAll(() => world.close());

  async function expectNothingBroken(): Promise<void> {
    for (const [what, sql] of Object.entries(broken))
      expect({ what, rows: await rowsOf(world.dataSource, sql) }).toEqual({ what, rows: [] });
  }

  const isExpected = ({ status }: Reply) => status < 500;

  /** One person as two users, since WeChat did not say that they are one, with codes and sign-ins under way for both. */
  async function prepare(round: number) {
    world.account.unbind(world.oa);
    const person = world.wechat.person({ nickname: `第${round}人` });
    const older = await onPc(world, person);
    const younger = await inWechat(world, person);
    const code = await returnFromPc(world, person);
    const callbacks = [
      await approveOnPc(world, person),
      await approveInWechat(world, person),
      await approveOnPc(world, person),
    ];
    return { person, older, younger, code, callbacks };
  }

  it(
    'leave no half of anything and answer nobody with a fault',
    async () => {
      const outcomes = new Set<unknown>();
      for (let round = 0; round < ROUNDS; round += 1) {
        const { older, younger, code, callbacks } = await prepare(round);
        if (round % 4 === 3) world.account.bind(world.oa);
        const always: (() => Promise<AdminReply>)[] = [
          () => here.post(`users/${older.id}/merge`, { other: younger.id }),
          () => there.post(`users/${younger.id}/merge`, { other: older.id }),
          () => here.request('PUT', `users/${younger.id}/roles/support`),
          () => there.delete(`users/${older.id}/sessions`),
          () => here.delete(`users/${older.id}/roles/support`),
        ];
        const bans = [
          () => there.post(`users/${younger.id}/disable`),
          () => here.post(`users/${younger.id}/enable`),
        ];
        const erasure = [() => there.delete(`users/${round % 4 === 0 ? younger.id : older.id}`)];
        const acts = [...always, ...(round % 3 === 0 ? [] : bans), ...(round % 2 === 0 ? erasure : [])];
        // Each round begins with another of them, so that each gets ahead of the others at times.
        const first = round % acts.length;
        const order = [...acts.slice(first), ...acts.slice(0, first)];

        const [answers, returned, others] = await Promise.all([
          Promise.all(order.map((act) => act())),
          Promise.all(
            callbacks.map(({ browser, callback }, index) =>
              browser.visit(
                `${index % 2 === 0 ? world.url : replica.url}${callback.pathname}${callback.search}`,
              ),
            ),
          ),
          Promise.all([
            redeem(replica.url, code, { redirect_uri: `${world.url}/signed-in` }),
            refresh(world.url, older.refreshToken),
            refresh(replica.url, younger.refreshToken),
          ]),
        ]);
        await Promise.all(
          callbacks.map((approved, index) => {
            const reply = returned[index];
            if (reply === undefined) throw new Error('no answer');
            return redeem(world.url, { ...approved, returned: reply });
          }),
        );

        for (const { status, code: failure } of answers) outcomes.add(failure ?? status);
        expect([...answers, ...returned, ...others].filter((reply) => !isExpected(reply))).toEqual([]);
        expect(
          returned
            .map(({ location }) => location?.searchParams.get('error'))
            .filter((error) => error === 'server_error'),
        ).toEqual([]);
        await expectNothingBroken();
      }
      // Otherwise nothing has raced.
      expect([...outcomes]).toEqual(expect.arrayContaining([200, 204, 'not_found']));
    },
    4 * minutes,
  );

  it(
    'end with one user of two who are merged from both sides at once',
    async () => {
      for (let round = 0; round < 10; round += 1) {
        const ids = await Promise.all(
          [here, there].map(async (admin) => String((await admin.post('users', {})).json()['id'])),
        );
        const [one = '', two = ''] = ids;

        const replies = await Promise.all([
          here.post(`users/${one}/merge`, { other: two }),
          there.post(`users/${two}/merge`, { other: one }),
          here.post(`users/${two}/merge`, { other: one }),
        ]);

        const [older, younger] = [one, two].toSorted();
        expect(replies.map(({ code, status }) => code ?? status).toSorted()).toEqual([
          200,
          'not_found',
          'not_found',
        ]);
        expect((await here.get(`users/${String(younger)}`)).json()['merged_into']).toBe(older);
      }
      await expectNothingBroken();
    },
    minutes,
  );

  it('change a user one after the other: of several changes based on one reading one is made', async () => {
    const created = await here.post('users', { nickname: '甲' });
    const id = String(created.json()['id']);

    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? here : there).patch(`users/${id}`, { nickname: `第${index}` }, created.etag),
      ),
    );

    const winners = replies.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(replies.filter(({ code }) => code === 'precondition_failed')).toHaveLength(7);
    expect((await here.get(`users/${id}`)).json()['nickname']).toBe(winners[0]?.json()['nickname']);
  });

  it('take their locks in one order', async () => {
    const client = new pg.Client({ connectionString: world.database.url });
    await replica.close();
    await world.app.close();
    await client.connect();

    const deadlocks = await client.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    await client.end();

    expect(deadlocks.rows).toEqual([{ deadlocks: 0 }]);
  });
});
