import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { signInOnPc } from '../support/sign-in.js';

describe('the last row that takes the withdrawals for an app with people', () => {
  const keys = { mp_token: 'TheTokenOfTheServer', mp_encoding_aes_key: 'a'.repeat(43) };
  let world: World;
  let admin: AdminClient;

  beforeEach(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    // People sign in through "wechat", which takes no pushes; "pushes" and "twin" take them and sign nobody in.
    await signInOnPc(world, world.wechat.person({ nickname: '小明' }));
    for (const slug of ['pushes', 'twin'])
      await admin.post('providers', {
        slug,
        enabled: false,
        open_app_id: world.site.appid,
        open_app_secret: world.site.secret,
        ...keys,
      });
  });
  afterEach(() => world.close());

  const refused = { status: 409, code: 'in_use', used_by: 'withdrawals' };
  const outcomeOf = (reply: Awaited<ReturnType<AdminClient['patch']>>) => ({
    status: reply.status,
    code: reply.code,
    used_by: reply.status < 300 ? undefined : reply.json()['used_by'],
  });

  it('cannot be deleted, while another one could', async () => {
    const other = await admin.delete('providers/twin', '*');
    const last = await admin.delete('providers/pushes', '*');

    expect(other.status).toBe(204);
    expect(outcomeOf(last)).toEqual(refused);
    expect(last.json()['apps']).toBe(world.site.appid);
    expect((await admin.get('providers/pushes')).status).toBe(200);
  });

  it.each([
    ['its Token', { mp_token: null }],
    ['its EncodingAESKey', { mp_encoding_aes_key: null }],
    ['the app', { open_app_id: null }],
    ['the AppSecret', { open_app_secret: null }],
    ['the app, for another one', { open_app_id: 'wx00000000000000dd' }],
  ])('cannot lose %s', async (_case, change) => {
    await admin.delete('providers/twin', '*');

    expect(outcomeOf(await admin.patch('providers/pushes', change))).toEqual(refused);
  });

  it('can have other keys, and lose an app that nobody is linked by', async () => {
    await admin.delete('providers/twin', '*');

    const replies = [
      await admin.post('providers/pushes/rotate', { secret: 'mp_token' }, '*'),
      await admin.patch('providers/pushes', {
        open_app_secret: '0'.repeat(32),
        mini_app_id: 'wx1',
        mini_app_secret: 'x',
      }),
      await admin.patch('providers/pushes', { mini_app_id: null, name: '推送' }),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is one of two that are deleted at once, and stays', async () => {
    const replies = await Promise.all(
      ['pushes', 'twin'].map((slug) => admin.delete(`providers/${slug}`, '*')),
    );

    expect(replies.map(({ status }) => status).sort()).toEqual([204, 409]);
  });
});
