import { Module } from '@nestjs/common';
import pg from 'pg';
import type { EntityManager } from 'typeorm';
import type { Person } from '../../emulator/index.js';
import type { IamHooks } from '../../src/index.js';
import { lockOwner, removeIdentity } from '../../src/users/identity-data.js';
import { linkSubject } from '../../src/users/link-subject.js';
import { type Subject } from '../../src/users/subject.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { countWaiting, rowsOf } from '../support/rows.js';
import {
  type ApprovedOnPc,
  approveOnPc,
  getWith,
  type PcSignIn,
  redeem,
  returnFromPc,
  toTokens,
} from '../support/sign-in.js';
import {
  approveInWechat,
  inWechat,
  onPc,
  refresh,
  returnInWechat,
  type SignedIn,
} from '../support/signed-in.js';

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

describe('an identity that goes while another of the same person comes', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  async function somebodyWaits(): Promise<void> {
    while ((await countWaiting(world.dataSource)) === 0);
  }

  async function begin(): Promise<{ manager: EntityManager; commit: () => Promise<void> }> {
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    const commit = async () => {
      await runner.commitTransaction();
      await runner.release();
    };
    return { manager: runner.manager, commit };
  }

  it('leaves the unionid that the new one carries', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);
    const unionid = lan.unionid(world.account);
    const inside: Subject = {
      provider: 'wechat',
      appKind: 'mp',
      appid: world.oa.appid,
      openid: lan.openid(world.oa),
      unionScope: 'wechat',
      unionid,
      profile: null,
    };
    const linking = await begin();
    await linkSubject(linking.manager, inside, { userId: id, basis: 'union', profile: 'host_wins' });

    const identity = { appid: world.site.appid, openid: lan.openid(world.site) };
    const removing = world.dataSource.transaction(async (manager) => {
      await lockOwner(manager, identity);
      return removeIdentity(manager, identity);
    });
    await somebodyWaits();
    await linking.commit();
    const wasLast = await removing;

    expect(wasLast).toBe(false);
    expect(
      await rowsOf(world.dataSource, 'SELECT user_id FROM iam.unions WHERE unionid = $1', [unionid]),
    ).toEqual([{ user_id: id }]);
  });

  it('takes every scope of its unionid along', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const unionid = lan.unionid(world.account);
    const { id } = await onPc(world, lan);
    const identity = { appid: world.site.appid, openid: lan.openid(world.site) };
    const shown = { provider: 'wechat', appKind: 'open', ...identity, unionid, profile: null } as const;
    await linkSubject(
      world.dataSource,
      { ...shown, unionScope: 'elsewhere' },
      { userId: id, basis: 'identity', profile: 'host_wins' },
    );

    const wasLast = await world.dataSource.transaction((manager) => removeIdentity(manager, identity));

    expect(wasLast).toBe(true);
    expect(await rowsOf(world.dataSource, 'SELECT 1 FROM iam.unions WHERE unionid = $1', [unionid])).toEqual(
      [],
    );
  });

  it('is taken from the user who has it once a merge is done', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const younger = await onPc(world, lan);
    const older = await onPc(world, world.wechat.person({ nickname: '小兰' }));
    const merging = await begin();
    await merging.manager.query('SELECT 1 FROM iam.users ORDER BY id FOR UPDATE');
    await merging.manager.query(`UPDATE iam.users SET status = 'merged', merged_into = $2 WHERE id = $1`, [
      younger.id,
      older.id,
    ]);
    for (const table of ['unions', 'identities'])
      await merging.manager.query(`UPDATE iam.${table} SET user_id = $2 WHERE user_id = $1`, [
        younger.id,
        older.id,
      ]);

    const locking = world.dataSource.transaction((manager) =>
      lockOwner(manager, { appid: world.site.appid, openid: lan.openid(world.site) }),
    );
    await somebodyWaits();
    await merging.commit();

    expect(await locking).toBe(older.id);
  });
});

/** A host that takes its time over a merge. */
class SlowHooks implements IamHooks {
  private reached: () => void = () => undefined;
  private pause: Promise<void> = Promise.resolve();

  /** Stops the next merge in its transaction: `arrived` when it is there, `release` lets it go on. */
  stopNextMerge(): { arrived: Promise<void>; release: () => void } {
    let release: () => void = () => undefined;
    this.pause = new Promise((resolve) => (release = resolve));
    return { arrived: new Promise((resolve) => (this.reached = resolve)), release };
  }

  async onMerge(): Promise<void> {
    this.reached();
    await this.pause;
  }
}

@Module({ providers: [SlowHooks], exports: [SlowHooks] })
class SlowModule {}

describe('what arrives while two users are being merged', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ imports: [SlowModule], options: { hooks: SlowHooks } });
  });
  afterAll(() => world.close());

  async function twoUsers(person: Person): Promise<{ older: SignedIn; younger: SignedIn }> {
    world.account.unbind(world.oa);
    const older = await inWechat(world, person);
    const younger = await onPc(world, person);
    world.account.bind(world.oa);
    return { older, younger };
  }

  /** Resolves when a statement of the application waits for a lock. */
  async function somebodyWaits(): Promise<void> {
    while ((await countWaiting(world.dataSource)) === 0);
  }

  const userOf = async (signIn: PcSignIn) => {
    const { accessToken } = toTokens(await redeem(world.url, signIn));
    return (await getWith(`${world.url}/iam/me`, accessToken)).json()['id'];
  };

  it('is decided by the merge: a code, a sign-in and a refresh of the user that goes', async () => {
    const person = world.wechat.person({ nickname: '慢' });
    const { older, younger } = await twoUsers(person);
    const code = await returnFromPc(world, person);
    const approved = await approveOnPc(world, person);
    const { arrived, release } = world.app.get(SlowHooks).stopNextMerge();
    const merging = returnInWechat(world, person);
    await arrived;

    const redeeming = userOf(code);
    const signingIn = approved.browser.visit(approved.callback);
    const refreshing = refresh(world.url, younger.refreshToken);
    await somebodyWaits();
    release();

    expect((await merging).returned.location?.searchParams.get('error')).toBeNull();
    expect(await redeeming).toBe(older.id);
    expect(await userOf({ ...approved, returned: await signingIn })).toBe(older.id);
    expect((await refreshing).json()['error']).toBe('invalid_grant');
  });

  describe('waits at the user, with nothing locked that the merge still wants:', () => {
    let merge: pg.Client;

    beforeEach(async () => {
      merge = new pg.Client({ connectionString: world.database.url });
      await merge.connect();
      await merge.query('BEGIN');
    });
    afterEach(() => merge.end());

    it('a redemption', async () => {
      const person = world.wechat.person({ nickname: '等' });
      const { older, younger } = await twoUsers(person);
      const code = await returnFromPc(world, person);
      await merge.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [younger.id]);

      const redeeming = userOf(code);
      await somebodyWaits();
      for (const table of ['unions', 'identities', 'logins'])
        await merge.query(`UPDATE iam.${table} SET user_id = $1 WHERE user_id = $2`, [older.id, younger.id]);
      await merge.query(`UPDATE iam.users SET status = 'merged', merged_into = $1 WHERE id = $2`, [
        older.id,
        younger.id,
      ]);
      await merge.query('COMMIT');

      expect(await redeeming).toBe(older.id);
    });

    it('a sign-in that has something to write', async () => {
      const person = world.wechat.person({ nickname: '等' });
      const { older, younger } = await twoUsers(person);
      await world.dataSource.query('UPDATE iam.identities SET profile_read_at = NULL WHERE user_id = $1', [
        younger.id,
      ]);
      await merge.query('SELECT 1 FROM iam.users WHERE id = ANY($1) FOR UPDATE', [[older.id, younger.id]]);

      const signingIn = returnFromPc(world, person);
      await somebodyWaits();
      for (const table of ['unions', 'identities'])
        await merge.query(`UPDATE iam.${table} SET user_id = $1 WHERE user_id = $2`, [older.id, younger.id]);
      await merge.query(`UPDATE iam.users SET status = 'merged', merged_into = $1 WHERE id = $2`, [
        older.id,
        younger.id,
      ]);
      await merge.query('COMMIT');

      expect(await userOf(await signingIn)).toBe(older.id);
    });
  });
});
