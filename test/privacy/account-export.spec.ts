import { addApps, callMe, inApp } from '../support/account.js';
import { startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { inWechat, onPc, refresh, revoke } from '../support/signed-in.js';

describe('the export of a signed-in user', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_enabled: false });
  });
  afterAll(() => world.close());

  it('is a file with everything held about them', async () => {
    const apps = await addApps(world);
    const lan = world.wechat.person({ nickname: '小兰' });
    lan.changeProfile({ phoneNumber: '13800138000' });
    await inWechat(world, lan);
    await lan.follow(world.oa);
    await lan.say(world.oa, '你好');
    const mini = await inApp(world, lan, apps, 'mini');
    await callMe(world, mini, '/phone_number', {
      method: 'POST',
      body: { provider: 'wechat', code: lan.phoneNumberCode(apps.mini) },
    });
    const user = await onPc(world, lan);
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [
      user.id,
    ]);

    const reply = await callMe(world, user, '/export');

    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-disposition')).toBe('attachment; filename="account.json"');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const held = reply.json();
    expect(held['profile']).toMatchObject({ id: user.id, nickname: '小兰', phone_number: '+8613800138000' });
    expect(held['roles']).toMatchObject([{ name: 'clerk' }]);
    expect(held['identities']).toMatchObject([
      {
        kind: 'open',
        openid: lan.openid(world.site),
        unionid: lan.unionid(world.account),
        union_scopes: ['wechat'],
      },
      { kind: 'mini', openid: lan.openid(apps.mini) },
      { kind: 'mp', openid: lan.openid(world.oa), follows: true },
    ]);
    expect(held['sessions']).toMatchObject([{ method: 'open' }, { method: 'mini' }, { method: 'mp' }]);
    expect(held['sign_ins']).toHaveLength(3);
    expect(held['messages']).toMatchObject([
      { event: 'text', message: { Content: '你好' } },
      { event: 'subscribe' },
    ]);
    expect(JSON.stringify(held['audit'])).toContain('user.phone_verified');
    expect(held['truncated']).toEqual([]);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE action = 'user.exported' AND user_id = $1`,
        [user.id],
      ),
    ).toBe(1);
  });

  it('holds what was of a user who was merged into them', async () => {
    const lan = world.wechat.person({ nickname: '合' });
    world.account.unbind(world.oa);
    await inWechat(world, lan);
    const younger = await onPc(world, lan);
    world.account.bind(world.oa);
    const user = await inWechat(world, lan);

    const { sessions, audit } = (await callMe(world, user, '/export')).json();

    expect(sessions).toHaveLength(3);
    expect(sessions).toContainEqual(expect.objectContaining({ end_reason: 'merged' }));
    expect(JSON.stringify(audit)).toContain('user.merged');
    expect(younger.id).not.toBe(user.id);
  });

  it('has nothing of anybody else, and nothing that anybody could sign in with', async () => {
    const other = await onPc(world, world.wechat.person({ nickname: '旁人' }));
    const lan = world.wechat.person({ nickname: '自己' });
    const user = await onPc(world, lan);
    const { refresh_token, access_token } = (await refresh(world.url, user.refreshToken)).json();

    const { text } = await callMe(world, user, '/export');

    const hashes = await rowsOf(
      world.dataSource,
      'SELECT state_hash, wechat_code_hash FROM iam.logins WHERE user_id = $1',
      [user.id],
    );
    const secrets = [refresh_token, access_token, user.refreshToken, other.id, '旁人'].map(String);
    for (const secret of [...secrets, ...hashes.flatMap((row) => Object.values(row)).map(String)])
      expect(text).not.toContain(secret);
  });

  it('is of bounded size: the newest of each kind, and a word about the rest', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '多' }));
    await world.dataSource.query(
      `INSERT INTO iam.audit_log (id, action, user_id) SELECT gen_random_uuid(), 'test.entry', $1 FROM generate_series(1, 1100)`,
      [user.id],
    );

    const held = (await callMe(world, user, '/export')).json();

    expect(held['audit']).toHaveLength(1000);
    expect(held['truncated']).toEqual(['audit']);
  });

  it('is not for a token whose session is over', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '末' }));
    await revoke(world.url, user.refreshToken);

    const reply = await callMe(world, user, '/export');

    expect([reply.status, reply.json()['code']]).toEqual([401, 'invalid_token']);
  });
});
