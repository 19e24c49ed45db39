import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { approveOnPc } from '../support/sign-in.js';
import { onPc } from '../support/signed-in.js';

describe('sign-in attempts in the admin API', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const list = async (query: string) => (await admin.get(`logins?${query}`)).items();

  it('say who came in and how, and carry nothing that could be redeemed', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);

    const reply = await admin.get(`logins?user=${id}`);

    const [login = {}] = reply.items();
    expect(login).toMatchObject({
      status: 'consumed',
      error: null,
      provider: 'wechat',
      method: 'open',
      appid: world.site.appid,
      client_id: 'web',
      user_id: id,
      new_user: true,
      ip: '127.0.0.1',
      scanned_at: null,
      confirmed_at: null,
    });
    expect(login['user_agent']).toContain('Chrome');
    const others = ['age_seconds', 'created_at', 'id', 'redeem_before'];
    expect(Object.keys(login)).toHaveLength(12 + others.length);
    expect(Object.keys(login)).toEqual(expect.arrayContaining(others));
    expect(reply.text).not.toContain(lan.openid(world.site));
  });

  it('say why one failed', async () => {
    await world.saveProvider({ sign_up: 'off' });
    const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '新' }));
    await browser.visit(callback);
    await world.saveProvider({ sign_up: 'auto' });

    const [failed] = await list('status=failed&error=sign_up_refused');

    expect(failed).toMatchObject({ status: 'failed', error: 'sign_up_refused', user_id: null });
    expect(await list('status=failed&error=snapshot_user')).toEqual([]);
    expect(await list('provider=other')).toEqual([]);
    expect((await list('provider=wechat&status=failed')).map(({ id }) => id)).toEqual([failed?.['id']]);
  });

  it('show what waits, and for how long', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.logins (id, status, provider, method, appid, client_id, created_at, expires_at)
       VALUES ('0193a000-0000-7000-8000-000000000001', 'pending', 'wechat', 'follow', 'wx1', 'web',
               now() - interval '90 seconds', now() + interval '1 day')`,
    );

    const [waiting] = await list('status=pending');

    expect(waiting).toMatchObject({ method: 'follow', status: 'pending' });
    expect(Math.abs(Number(waiting?.['age_seconds']) - 90)).toBeLessThan(30);
  });

  it('are shown to whoever may read them alone', async () => {
    const reader = await adminWithPermissions(world, 'iam:logins:read');
    const other = await adminWithPermissions(world, 'iam:users:read');

    const replies = [await reader.get('logins'), await other.get('logins')];

    expect(replies.map(({ status }) => status)).toEqual([200, 403]);
  });

  it.each(['status', 'error', 'provider', 'user', 'cursor', 'limit'])(
    'answer no 500 for whatever stands in %s',
    async (name) => {
      const texts = ['%00', '%ED%A0%80', '%25', '%5C', "'", 'x'.repeat(10_000)];

      const replies = await Promise.all(texts.map((text) => admin.get(`logins?${name}=${text}`)));

      expect(replies.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    },
  );
});
