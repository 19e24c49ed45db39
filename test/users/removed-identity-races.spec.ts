import type { EntityManager } from 'typeorm';
import { type Subject, linkSubject } from '../../src/users/subject.js';
import { lockOwner, removeIdentity } from '../../src/users/identity-data.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';

describe('an identity that goes while another of the same person comes', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  async function somebodyWaits(): Promise<void> {
    const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await valueOf(world.dataSource, waiting)) === 0);
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
