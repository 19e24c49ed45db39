import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { countWaiting, rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';

describe.each(platforms)('iam:providers:secrets, on %s', (_platform, create) => {
  let world: World;
  let root: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ create, options: adminOptions });
    root = new AdminClient(world.url);
    await world.saveProvider({ mp_token: 'TheTokenOfTheServer', mp_encoding_aes_key: 'a'.repeat(43) });
  });
  afterAll(() => world.close());

  const administrator = (...permissions: string[]) => adminWithPermissions(world, ...permissions);
  const stored = () => rowsOf(world.dataSource, `SELECT * FROM iam.identity_providers WHERE slug = 'wechat'`);

  it.each<[string, object]>([
    ['AppIDs', { mp_app_id: 'wx00000000000000aa' }],
    ['an AppSecret', { mini_app_secret: '0'.repeat(32) }],
    ['a Token', { mp_token: 'AnotherTokenOfMine' }],
    [
      'the Token that is stored, which would tell whether a guess was right',
      { mp_token: 'TheTokenOfTheServer' },
    ],
    ['an EncodingAESKey', { mp_encoding_aes_key: 'b'.repeat(43) }],
    ['a previous Token', { mp_token_previous: 'AnotherTokenOfMine' }],
    ['plain mode', { mp_message_mode: 'plain' }],
    ['the union scope', { union_scope: 'elsewhere' }],
    ['a harmless column and a Token together', { name: '新名字', mp_token: 'AnotherTokenOfMine' }],
  ])('is needed to change %s, and nothing changes without it', async (_case, change) => {
    const writer = await administrator('iam:providers:read', 'iam:providers:write', 'iam:events:read');
    const before = await stored();

    const reply = await writer.patch('providers/wechat', change);

    expect([reply.status, reply.code]).toEqual([403, 'insufficient_permissions']);
    expect(await stored()).toEqual(before);
  });

  it('is needed to rotate, to create a row with an app, and to delete one that holds secrets', async () => {
    const writer = await administrator('iam:providers:read', 'iam:providers:write');
    const app = { open_app_id: world.site.appid, open_app_secret: world.site.secret };
    await root.post('providers', { slug: 'other', ...app });

    const replies = [
      await writer.post('providers/wechat/rotate', { secret: 'mp_token' }, '*'),
      await writer.post('providers', { slug: 'mine', ...app }),
      await writer.delete('providers/other', '*'),
      await writer.post('providers', { slug: 'empty', name: '空' }),
      await writer.delete('providers/empty', '*'),
    ];

    expect(replies.map(({ status }) => status)).toEqual([403, 403, 403, 201, 204]);
  });

  it('is not needed for what a row does with the people whom WeChat vouches for', async () => {
    const writer = await administrator('iam:providers:write');

    const reply = await writer.patch('providers/wechat', {
      name: '微信登录',
      sign_up: 'auto',
      qr_confirmation: 'number',
      mp_message_mode: 'safe',
    });

    expect(reply.status).toBe(200);
  });

  it('lets its holder do it, and the audit log says who', async () => {
    const keeper = await administrator('iam:providers:write', 'iam:providers:secrets');

    const reply = await keeper.patch('providers/wechat', { mp_token: 'AnotherTokenOfMine' });

    expect(reply.status).toBe(200);
    const [entry] = await rowsOf(
      world.dataSource,
      `SELECT actor, detail FROM iam.audit_log WHERE action = 'provider.updated' ORDER BY id DESC LIMIT 1`,
    );
    expect(entry).toMatchObject({
      actor: expect.stringMatching(/^user:/) as string,
      detail: { secrets: { mp_token: 'replaced' } },
    });
  });
});

describe('two rows with one app', () => {
  const keys = { mp_token: 'TheTokenOfTheServer', mp_encoding_aes_key: 'a'.repeat(43) };
  let world: World;
  let admin: AdminClient;
  let twin: object;

  beforeEach(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    await world.saveProvider(keys);
    twin = { slug: 'twin', mp_app_id: world.oa.appid, mp_app_secret: world.oa.secret };
  });
  afterEach(() => world.close());

  it.each([
    ['another Token', { ...keys, mp_token: 'AnotherTokenOfMine' }],
    ['another EncodingAESKey', { ...keys, mp_encoding_aes_key: 'b'.repeat(43) }],
  ])('are refused when one has %s, and nothing is written', async (_case, other) => {
    const reply = await admin.post('providers', { ...twin, ...other });

    expect([reply.status, reply.code, reply.json()['provider']]).toEqual([
      409,
      'provider_keys_differ',
      'wechat',
    ]);
    expect((await admin.get('providers/twin')).status).toBe(404);
  });

  it('may have the same keys, or one of them none, and change them one after the other', async () => {
    const created = await admin.post('providers', { ...twin, ...keys });
    const rotated = await admin.post(
      'providers/wechat/rotate',
      { secret: 'mp_token', value: 'TheNextToken' },
      '*',
    );
    const early = await admin.patch('providers/wechat', { mp_token_previous: null });
    const followed = await admin.post(
      'providers/twin/rotate',
      { secret: 'mp_token', value: 'TheNextToken' },
      '*',
    );
    const finished = await admin.patch('providers/wechat', { mp_token_previous: null });
    const without = await admin.post('providers', { ...twin, slug: 'quiet' });

    expect([created, rotated, followed, finished, without].map(({ status }) => status)).toEqual([
      201, 200, 200, 200, 201,
    ]);
    expect([early.status, early.code]).toEqual([409, 'provider_keys_differ']);
  });

  it('cannot both be saved with keys of their own at once', async () => {
    const app = { mp_app_id: 'wx00000000000000cc', mp_app_secret: 'c'.repeat(32) };

    const lock = world.dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query('LOCK TABLE iam.audit_log IN SHARE MODE');
    const asked = [
      admin.post('providers', { slug: 'one', ...app, mp_token: 'TheTokenOfOne' }),
      admin.post('providers', { slug: 'two', ...app, mp_token: 'TheTokenOfTwo' }),
    ];
    await until('neither goes on', async () => (await countWaiting(world.dataSource)) === 2);
    await lock.rollbackTransaction();
    await lock.release();
    const replies = await Promise.all(asked);

    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it('are found by the check when SQL wrote them', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.identity_providers (slug, name, mp_app_id, mp_app_secret, mp_token)
       VALUES ('by-hand', 'x', $1, 'plain:' || $2, 'plain:AnotherTokenOfMine')`,
      [world.oa.appid, world.oa.secret],
    );

    const items: unknown = (await admin.post('providers/wechat/check')).json()['items'];

    expect(items).toContainEqual(
      expect.objectContaining({
        id: 'mp.shared_keys',
        finding: 'keys_differ',
        status: 'error',
        facts: { provider: 'by-hand' },
      }),
    );
  });
});
