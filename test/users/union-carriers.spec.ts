import { addApps, callMe, handIn, inApp, itemsOf, type Apps } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { getWith, type Tokens } from '../support/sign-in.js';
import { inWechat, onPc, type SignedIn } from '../support/signed-in.js';
import type { Person } from '../../emulator/index.js';

/** Two entrances with the same apps; each row's `union_scope` is its slug, which is the default. */
describe('a person whose apps stand in two rows', () => {
  let world: World;
  let replica: IamApp;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    apps = await addApps(world);
    replica = await startReplica(world, { options: adminOptions });
    await world.saveProvider({
      slug: 'second',
      name: 'Second',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
      mini_app_id: apps.mini.appid,
      mini_app_secret: apps.mini.secret,
      mobile_app_id: apps.mobile.appid,
      mobile_app_secret: apps.mobile.secret,
    });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = (nickname = '岚') => world.wechat.person({ nickname });
  const admin = () => new AdminClient(world.url);
  const idBy = async (tokens: Pick<Tokens, 'accessToken'>) =>
    (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json()['id'];
  const byMini = async (who: Person, provider: string) => {
    const { access_token } = (await handIn(world, 'mini', who.wxLogin(apps.mini), provider)).json();
    return idBy({ accessToken: String(access_token) });
  };
  const identity = async (user: SignedIn, kind: string) =>
    String(itemsOf(await callMe(world, user, '/identities')).find((each) => each['kind'] === kind)?.['id']);
  const unlink = async (user: SignedIn, kind: string) =>
    callMe(world, user, `/identities/${await identity(user, kind)}`, { method: 'DELETE' });
  const scopesOf = async (who: Person) =>
    (
      await rowsOf(
        world.dataSource,
        'SELECT union_scope AS scope FROM iam.unions WHERE unionid = $1 ORDER BY 1',
        [who.unionid(world.account)],
      )
    ).map(({ scope }) => scope);

  /** A user who has linked another person's mini program identity, which was then used at both rows. */
  async function linkedAtBoth(): Promise<{ user: SignedIn; other: Person }> {
    const [user, other] = [await onPc(world, person('甲')), person('乙')] as const;
    const body = { provider: 'wechat', app: 'mini', code: other.wxLogin(apps.mini) };
    await callMe(world, user, '/identities', { method: 'POST', body });
    for (const provider of ['wechat', 'second', 'wechat'])
      expect(await byMini(other, provider)).toBe(user.id);
    expect(await scopesOf(other)).toEqual(['second', 'wechat']);
    return { user, other };
  }

  it('is somebody else at every row once the identity is unlinked', async () => {
    const { user, other } = await linkedAtBoth();

    const reply = await unlink(user, 'mini');

    expect(reply.json()['rejoins']).toBe(false);
    expect(await scopesOf(other)).toEqual([]);
    const again = [await byMini(other, 'second'), await byMini(other, 'wechat')];
    expect(again).not.toContain(user.id);
    expect(new Set(again).size).toBe(1);
  });

  it('is somebody else at an app that was never used before', async () => {
    const { user, other } = await linkedAtBoth();
    await unlink(user, 'mini');

    const reply = await handIn(world, 'mobile', other.sendAuth(apps.mobile), 'second');

    expect(await idBy({ accessToken: String(reply.json()['access_token']) })).not.toBe(user.id);
  });

  it('is somebody else after an administrator has taken the identity, even the last', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await onPc(world, lan, { provider: 'second' });

    const path = `users/${user.id}/identities/${await identity(user, 'open')}?force=true`;
    expect((await admin().delete(path)).status).toBe(204);

    expect(await scopesOf(lan)).toEqual([]);
    const later = await onPc(world, lan, { provider: 'second' });
    expect(later.id).not.toBe(user.id);
    expect((await onPc(world, lan)).id).toBe(later.id);
  });

  it('is led back as long as another identity carries the unionid, in whatever scope', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await onPc(world, lan, { provider: 'second' });
    await handIn(world, 'mini', lan.wxLogin(apps.mini), 'second');

    const reply = await unlink(user, 'open');

    expect(reply.json()['rejoins']).toBe(true);
    expect(await scopesOf(lan)).toEqual(['second']);
    expect((await onPc(world, lan, { provider: 'second' })).id).toBe(user.id);
  });

  it('loses the scope of before when the row’s union_scope was changed and the identity is unlinked', async () => {
    const lan = person();
    await world.saveProvider({ slug: 'second', union_scope: 'before' });
    const user = await onPc(world, lan, { provider: 'second' });
    await world.saveProvider({ slug: 'second', union_scope: 'after' });
    await onPc(world, lan, { provider: 'second' });
    const scopes = await scopesOf(lan);

    const path = `users/${user.id}/identities/${await identity(user, 'open')}?force=true`;
    await admin().delete(path);
    await world.saveProvider({ slug: 'second', union_scope: 'before' });
    const back = await byMini(lan, 'second');
    await world.saveProvider({ slug: 'second', union_scope: null });

    expect(scopes).toEqual(['after', 'before']);
    expect(back).not.toBe(user.id);
  });

  it('keeps the scopes of both users in a merge, and loses them with the identities', async () => {
    const lan = person();
    world.account.unbind(world.oa);
    const older = await inWechat(world, lan);
    const younger = await onPc(world, lan, { provider: 'second' });
    await onPc(world, lan);
    world.account.bind(world.oa);

    const merged = await inWechat(world, lan);
    const scopes = await scopesOf(lan);
    for (const kind of ['open', 'mp'])
      await admin().delete(`users/${older.id}/identities/${await identity(merged, kind)}?force=true`);

    expect([merged.id, younger.id === older.id]).toEqual([older.id, false]);
    expect(scopes).toEqual(['second', 'wechat']);
    expect(await scopesOf(lan)).toEqual([]);
  });

  it('writes nothing when the rows are used in turn', async () => {
    const lan = person();
    const { id } = await onPc(world, lan);
    await onPc(world, lan, { provider: 'second' });
    const entries = () =>
      valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE action LIKE 'identity.%' AND user_id = $1`,
        [id],
      );
    const before = await entries();

    for (const provider of ['wechat', 'second', 'wechat']) await onPc(world, lan, { provider });

    expect(await entries()).toBe(before);
  });

  it('carries only the unionid that WeChat shows now, once the app was moved to another account', async () => {
    const lan = person();
    const user = await inWechat(world, lan);
    const moved = world.wechat.openPlatformAccount();
    moved.bind(world.oa);

    const later = await inWechat(world, lan);
    const unions = await rowsOf(world.dataSource, 'SELECT unionid FROM iam.unions WHERE user_id = $1', [
      user.id,
    ]);
    world.account.bind(world.oa);

    expect(later.id).toBe(user.id);
    expect(unions).toEqual([{ unionid: lan.unionid(moved) }]);
  });

  it('is not linked anew by a sign-in that was under way while the identity was unlinked', async () => {
    for (const provider of ['wechat', 'second']) {
      const { user, other } = await linkedAtBoth();
      const id = await identity(user, 'mini');
      // Makes the sign-in write, so that it has to wait for the user's row.
      await world.dataSource.query('UPDATE iam.identities SET profile_read_at = NULL WHERE user_id = $1', [
        user.id,
      ]);
      await world.dataSource.query('DELETE FROM iam.identity_unions WHERE identity_id = $1', [id]);
      const holding = world.dataSource.createQueryRunner();
      await holding.startTransaction();
      await holding.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [user.id]);

      const signingIn = handIn(replica, 'mini', other.wxLogin(apps.mini), provider);
      while ((await countWaiting(world.dataSource)) === 0);
      await holding.query('DELETE FROM iam.identities WHERE id = $1', [id]);
      await holding.commitTransaction();
      await holding.release();
      const { access_token } = (await signingIn).json();

      expect(await idBy({ accessToken: String(access_token) })).not.toBe(user.id);
      expect(itemsOf(await callMe(world, user, '/identities')).map(({ kind }) => kind)).toEqual(['open']);
    }
  });

  it('is at no time the user again when unlinking meets a sign-in at the other row', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { user, other } = await linkedAtBoth();

      const [unlinked] = await Promise.all([
        unlink(user, 'mini'),
        handIn(replica, 'mini', other.wxLogin(apps.mini), 'second'),
      ]);

      expect(unlinked.status).toBe(200);
      expect(await byMini(other, 'wechat')).not.toBe(user.id);
      expect(await byMini(other, 'second')).not.toBe(user.id);
    }
  });

  it('is not merged by a proof that was unlinked meanwhile', async () => {
    const lan = person();
    world.account.unbind(world.oa);
    const older = await inWechat(world, lan);
    const younger = await onPc(world, lan);
    world.account.bind(world.oa);
    const holding = world.dataSource.createQueryRunner();
    await holding.startTransaction();
    await holding.query('SELECT 1 FROM iam.users WHERE id = ANY($1) ORDER BY id FOR UPDATE', [
      [older.id, younger.id],
    ]);

    const signingIn = inWechat(world, lan);
    while ((await countWaiting(world.dataSource)) === 0);
    await holding.query(`DELETE FROM iam.identities WHERE user_id = $1`, [older.id]);
    await holding.commitTransaction();
    await holding.release();

    expect((await signingIn).id).toBe(younger.id);
    expect(await valueOf(world.dataSource, 'SELECT status FROM iam.users WHERE id = $1', [older.id])).toBe(
      'active',
    );
  });

  it('is refused by the database as somebody’s whose identity carries nothing of the kind', async () => {
    const [lan, ming] = [await onPc(world, person()), await onPc(world, person())] as const;

    await expect(
      world.dataSource.query('UPDATE iam.identities SET user_id = $2 WHERE user_id = $1', [lan.id, ming.id]),
    ).rejects.toThrow('identity_unions_union_fkey');
  });

  it('goes through the sign-in in a mini program of the first row as before', async () => {
    const lan = person();

    expect(await idBy(await inApp(world, lan, apps, 'mini'))).toBe(await byMini(lan, 'second'));
  });
});
