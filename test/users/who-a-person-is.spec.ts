import { IamUsers } from '../../src/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, redeem, returnFromPc } from '../support/sign-in.js';
import { inWechat, onPc, refresh } from '../support/signed-in.js';

const identities = 'SELECT app_kind, unionid, union_scope FROM iam.identities WHERE user_id = $1 ORDER BY id';

describe('which user a person is', () => {
  let world: World;
  const actions = async (userId: string) =>
    (
      await rowsOf(world.dataSource, 'SELECT action FROM iam.audit_log WHERE user_id = $1 ORDER BY id', [
        userId,
      ])
    ).map(({ action }) => action);

  beforeAll(async () => {
    world = await startWorld();
    const elsewhere = world.account.websiteApp({ callbackDomain: 'localhost' });
    await world.saveProvider({
      slug: 'elsewhere',
      open_app_id: elsewhere.appid,
      open_app_secret: elsewhere.secret,
      union_scope: 'another-account',
    });
  });
  afterAll(() => world.close());

  it('is a new one at the first sign-in and the same one ever after', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });

    const first = await onPc(world, lan);
    const second = await onPc(world, lan);

    expect(second.id).toBe(first.id);
    expect(await rowsOf(world.dataSource, identities, [first.id])).toEqual([
      { app_kind: 'open', unionid: lan.unionid(world.account), union_scope: 'wechat' },
    ]);
    expect(await actions(first.id)).toEqual([
      'user.signed_up',
      'session.started',
      'login.authenticated',
      'session.started',
    ]);
  });

  it('is the one that the unionid names, through whichever app', async () => {
    const ming = world.wechat.person({ nickname: '小明' });

    const inside = await inWechat(world, ming);
    const outside = await onPc(world, ming);

    expect(outside.id).toBe(inside.id);
    expect((await rowsOf(world.dataSource, identities, [inside.id])).map((row) => row['app_kind'])).toEqual([
      'mp',
      'open',
    ]);
  });

  it('stays the same when the Official Account is bound to the Open Platform later', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    world.account.unbind(world.oa);
    const unbound = await inWechat(world, hua);
    const before = await rowsOf(world.dataSource, identities, [unbound.id]);
    world.account.bind(world.oa);

    const bound = await inWechat(world, hua);
    const outside = await onPc(world, hua);

    expect(before).toEqual([{ app_kind: 'mp', unionid: null, union_scope: 'wechat' }]);
    expect(bound.id).toBe(unbound.id);
    expect(outside.id).toBe(unbound.id);
    expect(await rowsOf(world.dataSource, identities, [unbound.id])).toMatchObject([
      { app_kind: 'mp', unionid: hua.unionid(world.account) },
      { app_kind: 'open', unionid: hua.unionid(world.account) },
    ]);
  });

  it('is two users where one unionid stands in two union scopes', async () => {
    const twin = world.wechat.person({ nickname: '双' });

    const here = await onPc(world, twin);
    const there = await onPc(world, twin, { provider: 'elsewhere' });

    expect(there.id).not.toBe(here.id);
    expect(
      await rowsOf(world.dataSource, 'SELECT union_scope FROM iam.unions WHERE unionid = $1 ORDER BY 1', [
        twin.unionid(world.account),
      ]),
    ).toEqual([{ union_scope: 'another-account' }, { union_scope: 'wechat' }]);
  });

  it('is never found by nickname and picture', async () => {
    const users = world.app.get(IamUsers);
    const host = await users.create({ nickname: '同名', externalId: 'host-1' });
    const one = world.wechat.person({ nickname: '同名' });
    const other = world.wechat.person({ nickname: '同名' });

    const ids = [(await onPc(world, one)).id, (await onPc(world, other)).id, host.id];

    expect(new Set(ids).size).toBe(3);
  });

  it('takes over a changed nickname once the profile is no longer fresh', async () => {
    const mei = world.wechat.person({ nickname: '旧名' });
    const before = await onPc(world, mei);
    mei.changeProfile({ nickname: '新名' });
    const whileFresh = await onPc(world, mei);
    await world.dataSource.query(
      `UPDATE iam.identities SET profile_read_at = now() - interval '25 hours' WHERE user_id = $1`,
      [before.id],
    );

    const later = await onPc(world, mei);

    expect(whileFresh.me['nickname']).toBe('旧名');
    expect(later.me['nickname']).toBe('新名');
  });

  describe('when an administrator has disabled the user', () => {
    const disable = (id: string) =>
      world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [id]);

    it('refuses the sign-in, through an app known or not', async () => {
      const bad = world.wechat.person({ nickname: '坏' });
      const { id } = await onPc(world, bad);
      await disable(id);

      const known = await returnFromPc(world, bad);
      const unknown = inWechat(world, bad);

      expect(known.returned.location?.searchParams.get('error')).toBe('access_denied');
      await expect(unknown).rejects.toThrow('no tokens');
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE user_id = $1', [id]),
      ).toBe(1);
      expect(await actions(id)).not.toContain('login.authenticated');
    });

    it('shows the user nothing any more', async () => {
      const bad = world.wechat.person({ nickname: '坏' });
      const { id, accessToken } = await onPc(world, bad);
      await disable(id);

      const me = await getWith(`${world.url}/iam/me`, accessToken);

      expect(me.status).toBe(403);
      expect(me.json()['code']).toBe('user_disabled');
    });

    it('refuses a code that was already on its way', async () => {
      const bad = world.wechat.person({ nickname: '坏' });
      const { id } = await onPc(world, bad);
      const waiting = await returnFromPc(world, bad);
      await disable(id);

      const reply = await redeem(world.url, waiting);

      expect(reply.status).toBe(400);
      expect(reply.json()['error']).toBe('access_denied');
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE user_id = $1', [id]),
      ).toBe(1);
    });

    it('refuses to refresh, and refreshes again once the user is active', async () => {
      const bad = world.wechat.person({ nickname: '坏' });
      const { id, refreshToken } = await onPc(world, bad);
      await disable(id);

      const refused = await refresh(world.url, refreshToken);
      await world.dataSource.query(`UPDATE iam.users SET status = 'active' WHERE id = $1`, [id]);
      const admitted = await refresh(world.url, refreshToken);

      expect(refused.json()['error']).toBe('invalid_grant');
      expect(admitted.status).toBe(200);
    });
  });
});
