import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';

interface Item {
  readonly id: string;
  readonly area: string;
  readonly status: string;
  readonly finding: string;
  readonly title: string;
  readonly detail: string;
  readonly remedy: string | null;
  readonly where: string | null;
  readonly facts: Readonly<Record<string, string>>;
}

const shared = { mp_token: 'aTokenOfThisTest', mp_encoding_aes_key: 'k'.repeat(43) };

describe('the check of a provider', () => {
  let world: World;
  let admin: AdminClient;
  let mini: ReturnType<World['account']['miniProgram']>;
  let mobile: ReturnType<World['account']['mobileApp']>;

  beforeAll(async () => {
    world = await startWorld({ options: { ...adminOptions, rateLimits: 'off' } });
    admin = new AdminClient(world.url);
    mini = world.account.miniProgram();
    mobile = world.account.mobileApp();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    world.wechat.clearFaults();
    await world.saveProvider({
      enabled: true,
      sign_up: 'auto',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
      mini_app_id: mini.appid,
      mini_app_secret: mini.secret,
      mobile_app_id: mobile.appid,
      mobile_app_secret: mobile.secret,
      qr_enabled: true,
      qr_login_with: 'mp',
      mp_message_mode: 'safe',
      mp_token_previous: null,
      ...shared,
    });
    delete world.oa.settings.ipWhitelist;
    world.oa.settings.verified = true;
    world.wechat.clearCalls();
  });

  async function check(language = 'en', slug = 'wechat') {
    const reply = await admin.request('POST', `providers/${slug}/check`, {
      headers: { 'accept-language': language },
    });
    const { ok, items } = reply.json();
    const list = items as readonly Item[];
    return { reply, ok, items: list, of: (id: string) => list.find((item) => item.id === id) };
  }
  const calls = () =>
    world.wechat
      .calls()
      .map(({ path }) => path)
      .sort();

  it('finds a right set-up ok, with few calls and none that disturbs anybody', async () => {
    const { reply, ok, items } = await check();

    expect([reply.status, ok]).toEqual([200, true]);
    expect(Object.fromEntries(items.map(({ id, finding }) => [id, finding]))).toEqual({
      'row.enabled': 'row_enabled',
      'row.secrets': 'secrets_open',
      'row.methods': 'methods_complete',
      'row.sign_up': 'sign_up_auto',
      'row.union_scope': 'union_scope_own',
      'server.public_url': 'url_local',
      'server.wechat': 'wechat_reached',
      'open.credentials': 'pair_not_refused',
      'open.callback_domain': 'register_domain',
      'mp.credentials': 'pair_accepted',
      'mp.ip_whitelist': 'ip_admitted',
      'mp.oauth_domain': 'register_domain',
      'mp.qr_login': 'qr_ready',
      'mp.qr_code': 'qr_code_made',
      'mp.webhook': 'register_webhook',
      'mp.token': 'token_set',
      'mp.encoding_aes_key': 'key_set',
      'mp.message_mode': 'mode_safe',
      'mp.rotation': 'rotation_finished',
      'mini.credentials': 'pair_accepted',
      'mini.ip_whitelist': 'ip_admitted',
      'mobile.credentials': 'pair_not_refused',
    });
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
    expect(calls()).toEqual([
      '/cgi-bin/qrcode/create',
      '/cgi-bin/stable_token',
      '/cgi-bin/stable_token',
      '/sns/oauth2/access_token',
      '/sns/oauth2/access_token',
    ]);
    expect(JSON.stringify(world.wechat.calls('/cgi-bin/stable_token'))).not.toContain('"force_refresh":true');
  });

  it('asks WeChat again, whatever token is kept from before', async () => {
    await check();
    await world.saveProvider({ mp_app_secret: 'wrong-by-now' });

    const { ok, of } = await check();

    expect([ok, of('mp.credentials')?.finding]).toEqual([false, 'pair_rejected']);
  });

  it('names the rejected address as WeChat gives it, and where to enter it', async () => {
    world.oa.settings.ipWhitelist = ['203.0.113.1'];

    const english = await check('en');
    const chinese = await check('zh-CN');

    expect(english.of('mp.ip_whitelist')).toEqual({
      id: 'mp.ip_whitelist',
      area: 'mp',
      status: 'error',
      finding: 'ip_refused',
      title: 'IP whitelist of the Official Account (IP白名单)',
      detail: "WeChat refuses this server's address 127.0.0.1 (errcode 40164).",
      remedy:
        'Add 127.0.0.1, and every other address your servers call from, to the IP whitelist; this takes five to ten minutes.',
      where: expect.stringContaining('设置与开发 → 基本配置 → IP白名单') as string,
      facts: { appid: world.oa.appid, errcode: '40164', address: '127.0.0.1' },
    });
    expect(chinese.of('mp.ip_whitelist')?.detail).toBe(
      '微信拒绝了本服务器的地址 127.0.0.1（errcode 40164）。',
    );
    expect(english.of('mp.credentials')?.status).toBe('unknown');
    expect(english.of('mp.qr_code')?.status).toBe('unknown');
    expect(english.of('mini.ip_whitelist')?.status).toBe('ok');
  });

  it('takes nothing but an address out of what WeChat says', async () => {
    world.wechat.always('/cgi-bin/stable_token', {
      errcode: 40164,
      errmsg: 'invalid ip 1.2.3.4.5:::<b>, not in whitelist',
    });

    const { of } = await check();

    expect(of('mp.ip_whitelist')?.finding).toBe('ip_refused_unnamed');
    expect(of('mp.ip_whitelist')?.facts).toEqual({ appid: world.oa.appid, errcode: '40164' });
  });

  it.each([
    ['mp', { mp_app_secret: 'wrong' }, 'mp.credentials', 'pair_rejected', '40125'],
    ['mp', { mp_app_id: 'wx00000000000000ff' }, 'mp.credentials', 'pair_rejected', '40013'],
    ['mini', { mini_app_secret: 'wrong' }, 'mini.credentials', 'pair_rejected', '40125'],
    ['open', { open_app_secret: 'wrong' }, 'open.credentials', 'pair_rejected', '40125'],
    ['open', { open_app_id: 'wx00000000000000ff' }, 'open.credentials', 'pair_rejected', '40013'],
    ['mobile', { mobile_app_secret: 'wrong' }, 'mobile.credentials', 'pair_rejected', '40125'],
  ])('finds a wrong %s pair: %j', async (area, row, id, finding, errcode) => {
    await world.saveProvider(row);

    const { ok, of } = await check();

    expect(ok).toBe(false);
    expect(of(id)).toMatchObject({ area, status: 'error', finding, facts: { errcode } });
  });

  it('finds a website app where the Official Account should be', async () => {
    await world.saveProvider({ mp_app_id: world.site.appid, mp_app_secret: world.site.secret });

    expect((await check()).of('mp.credentials')).toMatchObject({
      status: 'error',
      finding: 'app_kind_wrong',
    });
  });

  it('finds that an account may not make QR codes, and asks only when they are on', async () => {
    world.oa.settings.verified = false;

    const on = await check();
    await world.saveProvider({ qr_enabled: false });
    world.wechat.clearCalls();
    const off = await check();

    expect(on.of('mp.qr_code')).toMatchObject({ status: 'error', finding: 'qr_code_forbidden' });
    expect([off.ok, off.of('mp.qr_code'), off.of('mp.qr_login')?.finding]).toEqual([
      true,
      undefined,
      'qr_off',
    ]);
    expect(calls()).not.toContain('/cgi-bin/qrcode/create');
  });

  it('finds a page that confirms sign-ins and is not released yet', async () => {
    mini.settings.pages = ['pages/home/home', 'pages/approve/approve'];
    await world.saveProvider({ mini_approval_page: 'pages/approve/approve' });
    const released = await check();
    mini.settings.pages = ['pages/home/home'];
    const missing = await check();
    await world.saveProvider({ mini_approval_page: null });
    const without = await check();

    expect(released.of('mini.code')).toMatchObject({ status: 'ok', finding: 'mini_code_made' });
    expect(missing.of('mini.code')).toMatchObject({ status: 'error', finding: 'mini_page_missing' });
    expect(without.of('mini.code')).toBeUndefined();
  });

  it.each([
    [40243, 'mp.credentials', 'secret_frozen', 'error'],
    [50004, 'mp.credentials', 'app_restricted', 'error'],
    [45009, 'mp.credentials', 'quota_used_up', 'warning'],
    [61004, 'mp.ip_whitelist', 'ip_refused_unnamed', 'error'],
    [89503, 'mp.ip_whitelist', 'ip_awaits_admin', 'error'],
    [89507, 'mp.ip_whitelist', 'ip_blocked', 'error'],
    [99999, 'mp.credentials', 'answer_unexpected', 'unknown'],
  ])('understands errcode %i', async (errcode, id, finding, status) => {
    world.wechat.always('/cgi-bin/stable_token', { errcode });

    expect((await check()).of(id)).toMatchObject({ finding, status, facts: { errcode: String(errcode) } });
  });

  it.each([
    ['drops every connection', { drop: true }],
    ['answers with a page of a gateway', { status: 502 }],
    ['is busy', { errcode: -1 }],
  ] as const)('says in one item that WeChat %s, and answers all the same', async (_case, fault) => {
    for (const path of ['/cgi-bin/*', '/sns/*']) world.wechat.always(path, fault);

    const { reply, ok, items, of } = await check();

    expect([reply.status, ok]).toEqual([200, false]);
    expect(items.filter(({ status }) => status === 'error').map(({ id }) => id)).toEqual(['server.wechat']);
    expect(of('mp.credentials')?.finding).toBe('not_asked');
    expect(of('mp.token')?.status).toBe('ok');
  });

  it.each([
    ['a disabled row', { enabled: false }, 'row.enabled', 'warning'],
    ['half a pair', { mini_app_secret: null }, 'mini.credentials', 'error'],
    [
      'QR login without the pair that comes next',
      { qr_login_with: 'open', open_app_id: null },
      'mp.qr_login',
      'error',
    ],
    ['no Token', { mp_token: null }, 'mp.token', 'error'],
    ['no EncodingAESKey', { mp_encoding_aes_key: null }, 'mp.encoding_aes_key', 'error'],
    ['messages in clear', { mp_message_mode: 'plain' }, 'mp.message_mode', 'warning'],
    ['a rotation not finished', { mp_token_previous: 'theOneBefore' }, 'mp.rotation', 'warning'],
    ['an application that must bind people', { sign_up: 'bind' }, 'row.sign_up', 'unknown'],
    [
      'a strange appid',
      { mobile_app_id: 'wxSTRANGE', mobile_app_secret: 'x' },
      'mobile.credentials',
      'error',
    ],
  ] as const)('finds %s', async (_case, row, id, status) => {
    await world.saveProvider(row);

    expect((await check()).of(id)?.status).toBe(status);
  });

  it.each([
    ['mp_encoding_aes_key', 'k'.repeat(44), 'mp.encoding_aes_key', 'key_malformed'],
    ['mp_encoding_aes_key_previous', `${'k'.repeat(43)}=`, 'mp.encoding_aes_key', 'key_malformed'],
    ['mp_token', 'with a blank', 'mp.token', 'token_malformed'],
  ])(
    'finds a malformed %s that SQL let through, also without follow-to-login',
    async (column, value, id, finding) => {
      await admin.post('providers', {
        slug: 'by-hand',
        mp_app_id: world.oa.appid,
        mp_app_secret: world.oa.secret,
        ...shared,
      });
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET ${column} = 'plain:' || $1, qr_enabled = false WHERE slug = 'by-hand'`,
        [value],
      );

      const checked = await check('en', 'by-hand');
      await admin.delete('providers/by-hand');

      expect(checked.of(id)?.finding).toBe(finding);
    },
  );

  it('finds values that SQL let through: a malformed Token and key, a secret that does not open', async () => {
    await admin.post('providers', { slug: 'by-hand', mp_app_id: world.oa.appid, qr_enabled: true });
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET mp_app_secret = 'plain:' || $1, mp_token = 'plain:not-valid',
         mp_encoding_aes_key = 'plain:short' WHERE slug = 'by-hand'`,
      [world.oa.secret],
    );
    const malformed = await check('en', 'by-hand');
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET mp_app_secret = 'no-prefix' WHERE slug = 'by-hand'`,
    );
    const unreadable = await check('en', 'by-hand');
    await admin.delete('providers/by-hand');

    expect(malformed.of('mp.token')?.finding).toBe('token_malformed');
    expect(malformed.of('mp.encoding_aes_key')?.finding).toBe('key_malformed');
    expect(malformed.of('mp.credentials')?.finding).toBe('pair_accepted');
    expect(unreadable.of('row.secrets')).toMatchObject({
      status: 'error',
      facts: { columns: 'mp_app_secret' },
    });
    expect(unreadable.of('server.wechat')).toBeUndefined();
  });

  it('compares the union scopes of rows that have an app in common', async () => {
    await admin.post('providers', { slug: 'second', mp_app_id: world.oa.appid, mp_app_secret: 'x' });
    const split = await check();
    await admin.patch('providers/second', { union_scope: 'wechat' });
    const together = await check();
    await admin.delete('providers/second');

    expect(split.of('row.union_scope')).toMatchObject({
      status: 'warning',
      facts: { appid: world.oa.appid, providers: 'second' },
    });
    expect(together.of('row.union_scope')).toMatchObject({ status: 'ok', facts: { providers: 'second' } });
  });

  it('says what to register with WeChat: the bare domain, and the addresses', async () => {
    const { of } = await check();

    expect(of('mp.oauth_domain')?.facts).toEqual({
      domain: 'localhost',
      callback_url: `${world.url}/iam/callback/wechat`,
    });
    expect(of('mp.webhook')?.facts).toEqual({ webhook_url: `${world.url}/iam/webhook/wechat` });
  });

  it('shows no secret, and leaves no placeholder open, in either language', async () => {
    world.wechat.always('/cgi-bin/stable_token', { errcode: 40125 });
    const { site, oa } = world;
    const secrets = [site.secret, oa.secret, mini.secret, mobile.secret, ...Object.values(shared)];

    for (const language of ['en', 'zh-CN']) {
      const { reply, items } = await check(language);

      for (const secret of secrets) expect(reply.text).not.toContain(secret);
      for (const { title, detail, remedy } of items)
        expect(`${title}${detail}${String(remedy)}`).not.toMatch(/[{}]|undefined/);
    }
  });

  it('does not know a provider that is not there', async () => {
    const reply = await admin.post('providers/nobody/check');

    expect([reply.status, reply.code]).toEqual([404, 'provider_not_found']);
  });
});

describe('the check of a provider, elsewhere', () => {
  it.each([
    ['https://app.example.com', 'url_public'],
    ['http://app.internal', 'url_plain_http'],
    ['https://app.example.com:8443', 'url_port'],
    ['https://203.0.113.7', 'url_address'],
    ['http://127.0.0.1:3000', 'url_local'],
  ])('judges %s', async (publicUrl, finding) => {
    const world = await startWorld({
      options: { ...adminOptions, publicUrl, wechat: { allowLoopback: true } },
    });
    const reply = await new AdminClient(world.url).post('providers/wechat/check');
    await world.close();

    expect(reply.json()['items']).toContainEqual(
      expect.objectContaining({ id: 'server.public_url', finding }),
    );
  });

  it('may be asked for twenty times a minute', async () => {
    const world = await startWorld({ options: adminOptions });
    const admin = new AdminClient(world.url);
    await world.saveProvider({ open_app_id: null, mp_app_id: null });

    const replies = [];
    for (let count = 0; count < 21; count += 1) replies.push(await admin.post('providers/wechat/check'));
    await world.close();

    expect(replies.map(({ status }) => status)).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
    expect(replies.at(-1)?.code).toBe('rate_limited');
  });
});
