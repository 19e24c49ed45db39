import pg from 'pg';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import {
  approveOnPc,
  getWith,
  redeem,
  returnFromPc,
  toTokens,
  type ApprovedOnPc,
} from '../support/sign-in.js';
import { approveInWechat, inWechat, onPc, refresh, returnInWechat } from '../support/signed-in.js';

const minutes = 60_000;
const ROUNDS = 8;

/** What must never be found, whatever raced: security.md I1, I5, I6. */
const broken = {
  'something of a merged user': `
    SELECT u.id FROM iam.users u WHERE u.status = 'merged' AND (
      EXISTS (SELECT 1 FROM iam.identities i WHERE i.user_id = u.id) OR EXISTS (SELECT 1 FROM iam.unions n WHERE n.user_id = u.id)
      OR EXISTS (SELECT 1 FROM iam.sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL)
      OR EXISTS (SELECT 1 FROM iam.logins l WHERE l.user_id = u.id AND l.status = 'authenticated'))`,
  'a user merged into one that is not active': `
    SELECT u.id FROM iam.users u JOIN iam.users n ON n.id = u.merged_into WHERE n.status <> 'active'`,
  'an identity whose unionid belongs to another user': `
    SELECT i.id FROM iam.identities i LEFT JOIN iam.unions n ON n.union_scope = i.union_scope AND n.unionid = i.unionid
    WHERE i.unionid IS NOT NULL AND n.user_id IS DISTINCT FROM i.user_id`,
  'a merge without exactly one audit entry': `
    SELECT u.id FROM iam.users u WHERE u.status = 'merged'
    AND (SELECT count(*) FROM iam.audit_log a WHERE a.action = 'user.merged' AND a.detail->>'from' = u.id::text) <> 1`,
  'a session without exactly one audit entry': `
    SELECT s.id FROM iam.sessions s
    WHERE (SELECT count(*) FROM iam.audit_log a WHERE a.action = 'session.started' AND a.session_id = s.id) <> 1`,
  'a consumed login without session': `
    SELECT l.id FROM iam.logins l WHERE l.status = 'consumed'
    AND NOT EXISTS (SELECT 1 FROM iam.sessions s WHERE s.login_id = l.id)`,
};

describe('merges, sign-ins, redemptions and refreshes of one person at once on two replicas', () => {
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startWorld();
    replica = await startReplica(world);
  });
  afterAll(() => world.close());

  const sites = () => [world, replica] as const;
  const callBack = ({ browser, callback }: ApprovedOnPc, index: number): Promise<Reply> =>
    browser.visit(`${sites()[index % 2]?.url ?? ''}${callback.pathname}${callback.search}`);

  /** Two users of one person, and everything that can be on its way for them. */
  async function prepare(round: number) {
    const person = world.wechat.person({ nickname: `第${round}人` });
    world.account.unbind(world.oa);
    const older = round % 2 === 0 ? await inWechat(world, person) : await onPc(world, person);
    const younger = round % 2 === 0 ? await onPc(world, person) : await inWechat(world, person);
    const codes = [await returnFromPc(world, person), await returnInWechat(world, person)];
    world.account.bind(world.oa);
    const callbacks = [
      await approveInWechat(world, person),
      await approveOnPc(world, person),
      await approveInWechat(world, person),
      await approveOnPc(world, person),
      await approveInWechat(world, person),
    ];
    return { person, older, younger, codes, callbacks };
  }

  it(
    'leave one whole user each time, and nobody with an error',
    async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { person, older, younger, codes, callbacks } = await prepare(round);

        const [returned, redeemed, refreshed] = await Promise.all([
          Promise.all(callbacks.map(callBack)),
          Promise.all(
            codes.map((code, index) =>
              redeem(sites()[index % 2]?.url ?? '', code, { redirect_uri: `${world.url}/signed-in` }),
            ),
          ),
          Promise.all([refresh(world.url, older.refreshToken), refresh(replica.url, younger.refreshToken)]),
        ]);
        const signedIn = await Promise.all(
          callbacks.map((approved, index) => {
            const reply = returned[index];
            if (reply === undefined) throw new Error('no answer');
            return redeem(world.url, { ...approved, returned: reply });
          }),
        );
        const ids = await Promise.all(
          [...signedIn, ...redeemed].map(
            async (reply) => (await getWith(`${world.url}/iam/me`, toTokens(reply).accessToken)).json()['id'],
          ),
        );

        expect(returned.map(({ location }) => location?.searchParams.get('error'))).toEqual(
          callbacks.map(() => null),
        );
        expect(new Set(ids)).toEqual(new Set([older.id]));
        expect(refreshed[0].status).toBe(200);
        expect([200, 400]).toContain(refreshed[1].status);
        expect((await onPc(world, person)).id).toBe(older.id);
        expect(
          await rowsOf(world.dataSource, 'SELECT status FROM iam.users WHERE id = $1', [younger.id]),
        ).toEqual([{ status: 'merged' }]);
      }
      for (const [what, sql] of Object.entries(broken))
        expect({ what, rows: await rowsOf(world.dataSource, sql) }).toEqual({ what, rows: [] });
    },
    3 * minutes,
  );

  it('take their locks in one order', async () => {
    await replica.close();
    await world.app.close();
    const client = new pg.Client({ connectionString: world.database.url });
    await client.connect();

    const deadlocks = await client.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    await client.end();

    expect(deadlocks.rows).toEqual([{ deadlocks: 0 }]);
  });
});
