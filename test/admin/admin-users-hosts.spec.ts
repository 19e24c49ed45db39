import type { Person } from '../../emulator/index.js';
import { IamError, IamUsers } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { addApps, type Apps, callMe, handIn, itemsOf } from '../support/account.js';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { redeem, returnFromPc } from '../support/sign-in.js';
import { inWechat, onPc, returnInWechat, type SignedIn } from '../support/signed-in.js';

describe.each(platforms)(
  'users in the admin API of a host on %s that guards every route',
  (_name, create) => {
    let world: World;
    let admin: AdminClient;

    beforeAll(async () => {
      world = await startWorld({
        options: adminOptions,
        globalGuard: true,
        create,
      });
      admin = new AdminClient(world.url);
      await world.dataSource.query(
        `INSERT INTO iam.roles (name, permissions) VALUES ('客服 / 1', '{tickets:*}')`,
      );
    });
    afterAll(() => world.close());

    it('answer each kind of request', async () => {
      const lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
      const role = encodeURIComponent('客服 / 1');

      const created = await admin.post('users', { nickname: '小明' });
      const id = String(created.json()['id']);
      const replies = [
        created,
        await admin.get(`users?q=${encodeURIComponent('小明')}`),
        await admin.patch(`users/${id}`, { external_id: 'crm-1' }, created.etag),
        await admin.request('PUT', `users/${id}/roles/${role}`),
        await admin.get(`users/${id}/roles`),
        await admin.post(`users/${id}/disable`, { reason: 'x' }),
        await admin.post(`users/${id}/enable`),
        await admin.delete(`users/${id}/roles/${role}`),
        await admin.post(`users/${id}/merge`, { other: lan.id }),
        await admin.delete(`users/${lan.id}/sessions`),
        await admin.delete(`users/${lan.id}`),
        await admin.get(`users/${lan.id}`),
      ];

      expect(replies.map(({ status }) => status)).toEqual([
        201, 200, 200, 204, 200, 204, 204, 204, 200, 204, 204, 404,
      ]);
      expect(replies[4]?.json()).toEqual({ roles: ['客服 / 1'] });
      expect(replies.map(({ headers }) => headers.get('cache-control'))).toEqual(
        replies.map(() => 'no-store'),
      );
    });

    it('ask everybody for what the route asks', async () => {
      const reader = await adminWithPermissions(world, 'iam:users:read');
      const stranger = new AdminClient(world.url, null);

      const replies = [
        await reader.get('users'),
        await reader.post('users', {}),
        await stranger.get('users'),
        await stranger.post('users', {}),
      ];

      expect(replies.map(({ status }) => status)).toEqual([200, 403, 401, 401]);
    });
  },
);

describe('a banned person', () => {
  let world: World;
  let apps: Apps;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: { ...adminOptions, rateLimits: 'off' } });
    apps = await addApps(world);
    await world.saveProvider({
      slug: 'asks',
      sign_up: 'bind',
      union_scope: 'wechat',
      mini_app_id: apps.mini.appid,
      mini_app_secret: apps.mini.secret,
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const person = (nickname = '坏') => world.wechat.person({ nickname });
  const sql = (text: string, parameters: unknown[] = []) => rowsOf(world.dataSource, text, parameters);
  const ban = (id: string) => admin.post(`users/${id}/disable`, {});
  const identity = async (user: SignedIn, kind: string) =>
    String(itemsOf(await callMe(world, user, '/identities')).find((each) => each['kind'] === kind)?.['id']);
  /** Why a sign-in at an app used before, one never used, and one that asks for an account are refused. */
  async function refusals(who: Person): Promise<unknown[]> {
    const known = (await returnFromPc(world, who)).returned;
    const unknown = (await returnInWechat(world, who)).returned;
    const mini = await handIn(world, 'mini', who.wxLogin(apps.mini));
    const asks = await handIn(world, 'mini', who.wxLogin(apps.mini), 'asks');
    const errors = await sql(
      `SELECT DISTINCT error FROM iam.logins WHERE openid IS NULL AND status = 'failed' AND created_at > now() - interval '1 minute'`,
    );
    expect(errors).toEqual([{ error: 'user_disabled' }]);
    return [
      ...[known, unknown].map(({ location }) => location?.searchParams.get('error')),
      ...[mini, asks].map((reply) => reply.json()['error']),
    ];
  }
  const refused = ['access_denied', 'access_denied', 'access_denied', 'access_denied'];

  it('stays out when their own wish to be erased is due', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await callMe(world, user, '/deletion', { method: 'POST' });
    await ban(user.id);
    await sql('UPDATE iam.users SET deletion_at = now() WHERE id = $1', [user.id]);

    await world.app.get(Cleanup).removeExpired();

    expect(await sql('SELECT 1 FROM iam.users WHERE id = $1', [user.id])).toEqual([]);
    expect(await refusals(lan)).toEqual(refused);
    expect(await sql('SELECT 1 FROM iam.identities WHERE openid = $1', [lan.openid(world.site)])).toEqual([]);
  });

  it('stays out when an administrator erases them, and comes in as somebody new once the ban is lifted', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await ban(user.id);
    await admin.delete(`users/${user.id}`);
    const before = await refusals(lan);

    const seen = await admin.get(`bans?appid=${world.site.appid}&openid=${lan.openid(world.site)}`);
    const byUnion = await admin.get(`bans?union_scope=wechat&unionid=${lan.unionid(world.account)}`);
    const lifted = await admin.delete(`bans/${user.id}`);
    const again = await admin.delete(`bans/${user.id}`);

    expect(before).toEqual(refused);
    expect(seen.items()).toEqual([
      { id: user.id, banned_at: expect.any(String) as string, identities: 1, unions: 1 },
    ]);
    expect(byUnion.items()).toEqual(seen.items());
    expect([lifted.status, again.status, again.code]).toEqual([204, 404, 'not_found']);
    expect((await onPc(world, lan)).id).not.toBe(user.id);
    expect(
      await sql(
        `SELECT action, actor, detail FROM iam.audit_log WHERE user_id = $1 AND action IN ('user.erased', 'user.ban_lifted') ORDER BY id`,
        [user.id],
      ),
    ).toMatchObject([
      { action: 'user.erased', detail: { staysBarred: true } },
      { action: 'user.ban_lifted', actor: 'admin_token', detail: { identities: 1, unions: 1 } },
    ]);
  });

  it('stays out by an identity that was taken from them meanwhile, even the last, until they are enabled', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    const id = await identity(user, 'open');
    await ban(user.id);
    await admin.delete(`users/${user.id}/identities/${id}?force=true`);
    const banned = await refusals(lan);

    await admin.post(`users/${user.id}/enable`);

    expect(banned).toEqual(refused);
    expect((await onPc(world, lan)).id).not.toBe(user.id);
  });

  it('stays out by the WeChat that shows their unionid late', async () => {
    const lan = person();
    world.account.unbind(world.oa);
    const other = await inWechat(world, lan);
    const user = await onPc(world, lan);
    await ban(user.id);
    await admin.delete(`users/${user.id}`);
    world.account.bind(world.oa);

    const { returned } = await returnInWechat(world, lan);

    expect(returned.location?.searchParams.get('error')).toBe('access_denied');
    expect(await sql('SELECT unionid FROM iam.identities WHERE user_id = $1', [other.id])).toEqual([
      { unionid: null },
    ]);
  });

  it('is nobody’s second WeChat: neither linked nor bound', async () => {
    const lan = person();
    const token = String(
      (await handIn(world, 'mini', lan.wxLogin(apps.mini), 'asks')).json()['binding_token'],
    );
    const user = await onPc(world, lan);
    await ban(user.id);
    await admin.delete(`users/${user.id}`);
    const friend = await onPc(world, person('友'));

    const linked = await callMe(world, friend, '/identities', {
      method: 'POST',
      body: { provider: 'wechat', app: 'mini', code: lan.wxLogin(apps.mini) },
    });
    const users = world.app.get(IamUsers);
    const bound = users.bind(token, { externalId: 'friend' }).catch((error: unknown) => error);

    expect([linked.status, linked.json()['code']]).toEqual([403, 'user_disabled']);
    expect(await bound).toMatchObject({ code: 'user_disabled' });
    expect(await bound).toBeInstanceOf(IamError);
  });

  it('is refused by the database where two requests meet', async () => {
    for (let round = 0; round < 5; round += 1) {
      const lan = person();
      const user = await onPc(world, lan);
      await ban(user.id);

      await Promise.all([
        admin.delete(`users/${user.id}`),
        returnFromPc(world, lan),
        returnInWechat(world, lan),
      ]);

      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.unions WHERE unionid = $1', [
          lan.unionid(world.account),
        ]),
      ).toBe(0);
    }
  });

  it('leaves hashes alone, and nothing once the ban of a user who is there is lifted', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await ban(user.id);
    const barred = await sql('SELECT * FROM iam.barred_subjects WHERE user_id = $1', [user.id]);
    const listed = await admin.get(`bans?appid=${world.site.appid}&openid=${lan.openid(world.site)}`);
    const lifted = await admin.delete(`bans/${user.id}`);
    await admin.post(`users/${user.id}/enable`);

    expect(barred).toHaveLength(2);
    for (const secret of [lan.openid(world.site), lan.unionid(world.account)])
      expect(JSON.stringify(barred)).not.toContain(secret);
    expect([listed.items(), lifted.code]).toEqual([[], 'not_found']);
    expect(await sql('SELECT 1 FROM iam.barred_subjects WHERE user_id = $1', [user.id])).toEqual([]);
    expect((await onPc(world, lan)).id).toBe(user.id);
  });

  it('does not keep out who was erased without a ban', async () => {
    const lan = person();
    const user = await onPc(world, lan);
    await admin.delete(`users/${user.id}`);

    expect((await redeem(world.url, await returnFromPc(world, lan))).status).toBe(200);
  });

  it('is seen and let in by those who may see and change users', async () => {
    const user = await onPc(world, person());
    await ban(user.id);
    await admin.delete(`users/${user.id}`);
    const reader = await adminWithPermissions(world, 'iam:users:read');
    const writer = await adminWithPermissions(world, 'iam:users:write');

    expect((await reader.get('bans?limit=100')).items().map(({ id }) => id)).toContain(user.id);
    expect((await reader.delete(`bans/${user.id}`)).code).toBe('insufficient_permissions');
    expect((await writer.delete(`bans/${user.id}`)).status).toBe(204);
  });

  it.each(['openid=x', 'unionid=x', 'appid=a&openid=b&union_scope=c&unionid=d'])(
    'is not looked for by half a name: %s',
    async (query) => {
      expect((await admin.get(`bans?${query}`)).code).toBe('invalid_request');
    },
  );
});

describe('an administrator who knows better than WeChat', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  it('merges two whom WeChat takes for two people by force, after naming the scopes', async () => {
    const person = world.wechat.person({ nickname: '伟' });
    const [lan, wei] = [
      await onPc(world, world.wechat.person({ nickname: '兰' })),
      await onPc(world, person),
    ];

    const refused = await admin.post(`users/${lan.id}/merge`, { other: wei.id });
    const forced = await admin.post(`users/${lan.id}/merge`, { other: wei.id, force: true });
    const { id: again } = await onPc(world, person);

    expect([refused.status, refused.json()['union_scopes']]).toEqual([409, 'wechat']);
    expect([forced.status, forced.json()]).toEqual([200, { id: lan.id, merged: wei.id }]);
    expect(again).toBe(lan.id);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT actor, detail FROM iam.audit_log WHERE user_id = $1 AND action = 'user.merged'`,
        [lan.id],
      ),
    ).toMatchObject([
      { actor: 'admin_token', detail: { from: wei.id, to: lan.id, twoUnionidsIn: ['wechat'] } },
    ]);
  });
});
