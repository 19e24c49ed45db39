import { AdminClient, adminOptions } from '../support/admin.js';
import { rowsOf } from '../support/rows.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

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
