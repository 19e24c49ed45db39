import { DataSource } from 'typeorm';
import { RolePermissions } from '../../src/roles/role-permissions.service.js';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { countWaiting, rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

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

describe('iam:providers:secrets with a small pool', () => {
  it('is looked up before a change waits for another, which would leave no connection for it', async () => {
    const world = await startWorld({ options: adminOptions, typeOrm: { poolSize: 2 } });
    const other = await new DataSource({ type: 'postgres', url: world.database.url }).initialize();
    const keeper = await adminWithPermissions(world, 'iam:providers:write', 'iam:providers:secrets');

    const lock = other.createQueryRunner();
    await lock.startTransaction();
    await lock.query('SELECT FROM iam.identity_providers FOR UPDATE');
    const asked = ['TheTokenOfOne', 'TheTokenOfTwo'].map((token) =>
      keeper.patch('providers/wechat', { mp_token: token }),
    );
    await until('both changes wait', async () => (await countWaiting(other)) === 2);
    world.app.get(RolePermissions).forget();
    await lock.rollbackTransaction();
    await lock.release();
    const replies = await Promise.all(asked);
    await other.destroy();
    await world.close();

    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
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

describe('rotating a secret of a provider', () => {
  let world: WebhookWorld;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());
  beforeEach(() =>
    world.saveProvider({
      mp_message_mode: 'safe',
      mp_token: world.server.token,
      mp_token_previous: null,
      mp_encoding_aes_key: world.server.encodingAesKey,
      mp_encoding_aes_key_previous: null,
    }),
  );

  const rotate = (body: Record<string, unknown>, etag = '*') =>
    admin.post('providers/wechat/rotate', body, etag);
  const pushWith = async (changes: Partial<WebhookWorld['server']>) => {
    const fields = eventFields('CLICK', newOpenid(), { EventKey: 'menu' });
    return (await post(world.webhook, sealed(fields, { ...world, server: { ...world.server, ...changes } })))
      .status;
  };

  it('generates a Token that is shown once; the old one works until it is cleared', async () => {
    const { etag } = await admin.get('providers/wechat');
    const rotated = await rotate({ secret: 'mp_token' }, etag);
    const token = String(rotated.json()['value']);
    const during = [await pushWith({ token }), await pushWith({})];
    const shownAgain = await admin.get('providers/wechat');
    const finished = await admin.patch('providers/wechat', { mp_token_previous: null }, rotated.etag);
    const after = [await pushWith({ token }), await pushWith({})];

    expect(rotated.status).toBe(200);
    expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(rotated.json()['provider']).toMatchObject({
      etag: rotated.etag,
      secrets: { mp_token: true, mp_token_previous: true },
      problems: [{ id: 'mp.rotation', finding: 'rotation_open' }],
    });
    expect(shownAgain.text).not.toContain(token);
    expect(finished.json()).toMatchObject({ secrets: { mp_token_previous: false }, problems: [] });
    expect([during, after]).toEqual([
      [200, 200],
      [200, 403],
    ]);
  });

  it('generates an EncodingAESKey of the form that WeChat takes', async () => {
    const rotated = await rotate({ secret: 'mp_encoding_aes_key' });
    const encodingAesKey = String(rotated.json()['value']);

    expect(encodingAesKey).toMatch(/^[A-Za-z0-9]{43}$/);
    expect([await pushWith({ encodingAesKey }), await pushWith({})]).toEqual([200, 200]);
  });

  it('takes a value of the operator’s own, and then shows none', async () => {
    const rotated = await rotate({ secret: 'mp_token', value: 'chosenByTheOperator' });

    expect(rotated.json()['value']).toBeUndefined();
    expect(rotated.text).not.toContain('chosenByTheOperator');
    expect([await pushWith({ token: 'chosenByTheOperator' }), await pushWith({})]).toEqual([200, 200]);
  });

  it('refuses a second rotation while the first is open: either value may be WeChat’s', async () => {
    await rotate({ secret: 'mp_token' });

    const second = await rotate({ secret: 'mp_token' });

    expect([second.status, second.code, second.json()['secret']]).toEqual([
      409,
      'in_use',
      'mp_token_previous',
    ]);
    expect(await pushWith({})).toBe(200);
  });

  it('changes nothing when the new value is the current one', async () => {
    const { etag } = await admin.get('providers/wechat');

    const rotated = await rotate({ secret: 'mp_token', value: world.server.token }, etag);

    expect([rotated.status, rotated.etag]).toEqual([200, etag]);
  });

  it('replaces an AppSecret, which only WeChat makes, at once', async () => {
    const without = await rotate({ secret: 'open_app_secret' });
    const rotated = await rotate({ secret: 'open_app_secret', value: 'reset-in-the-console' });

    expect([without.status, without.code]).toEqual([400, 'invalid_request']);
    expect([rotated.status, rotated.json()['value']]).toEqual([200, undefined]);
  });

  it('wants If-Match, so that a request sent twice does not lose the working value', async () => {
    const { etag } = await admin.get('providers/wechat');
    await rotate({ secret: 'mp_token' }, etag);

    const twice = await rotate({ secret: 'mp_token' }, etag);
    const without = await admin.post('providers/wechat/rotate', { secret: 'mp_token' });

    expect([twice.code, without.code]).toEqual(['precondition_failed', 'precondition_required']);
    expect(await pushWith({})).toBe(200);
  });

  it.each([
    ['a column that is no secret', { secret: 'name', value: 'x' }],
    ['the previous value', { secret: 'mp_token_previous', value: 'abc' }],
    ['a malformed value', { secret: 'mp_token', value: 'not valid' }],
    ['an unknown member', { secret: 'mp_token', keep: true }],
    ['nothing', undefined],
  ])('refuses %s', async (_case, body) => {
    const refused = await admin.post('providers/wechat/rotate', body, '*');

    expect([refused.status, refused.code]).toEqual([400, 'invalid_request']);
  });

  it('is in the audit log by the name of the secret alone', async () => {
    await rotate({ secret: 'mp_encoding_aes_key' });

    const [entry] = await rowsOf(
      world.dataSource,
      `SELECT action, actor, detail FROM iam.audit_log WHERE action = 'provider.secret_rotated' ORDER BY id DESC LIMIT 1`,
    );
    expect(entry).toEqual({
      action: 'provider.secret_rotated',
      actor: 'admin_token',
      detail: { secret: 'mp_encoding_aes_key', previous_kept: true },
    });
  });
});
