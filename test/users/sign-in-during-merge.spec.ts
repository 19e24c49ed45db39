import { Module } from '@nestjs/common';
import pg from 'pg';
import type { IamHooks } from '../../src/index.js';
import type { Person } from '../../emulator/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, getWith, redeem, returnFromPc, toTokens, type PcSignIn } from '../support/sign-in.js';
import { inWechat, onPc, refresh, returnInWechat, type SignedIn } from '../support/signed-in.js';

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
    const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await valueOf(world.dataSource, waiting)) === 0);
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
