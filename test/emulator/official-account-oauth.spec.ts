import { authorizeUrl, callApi, codeIn, exchange, useStage, type Stage } from './support/stage.js';

/** The error code on the page that a raw query leads to, inside WeChat. */
async function errorCodeFor(stage: Stage, query: string): Promise<string | undefined> {
  const { wechat, lan } = stage;
  const page = await lan.openInWechat(`${wechat.endpoints.open}/connect/oauth2/authorize?${query}`);
  expect(page.status).toBe(200);
  return /data-error-code="(\d+)"/.exec(page.body)?.[1];
}

describe('Official Account OAuth inside WeChat', () => {
  const stage = useStage();

  it('asks for consent and returns with code and state after 允许', async () => {
    const { lan, oa, app } = stage();

    const consent = await lan.openInWechat(authorizeUrl(stage()));
    const heardBefore = app.heard.length;
    const end = await lan.confirm();

    expect(consent.body).toContain('申请使用你的昵称、头像');
    expect(heardBefore).toBe(0);
    expect(end.url).toMatch(new RegExp(`^${app.origin}/callback\\?code=0\\w{31}&state=abc123$`));
    expect(end.body).toBe('success');
    expect(app.last?.headers['user-agent']).toContain('MicroMessenger');
    expect(await exchange(stage(), oa, codeIn(end.url))).toMatchObject({
      openid: lan.openid(oa),
      scope: 'snsapi_userinfo',
      expires_in: 7200,
    });
  });

  it('is silent with snsapi_base and gives the openid but neither unionid nor profile', async () => {
    const { lan, oa } = stage();

    const end = await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }));
    const tokens = await exchange(stage(), oa, codeIn(end.url));
    const profile = await callApi(stage(), '/sns/userinfo', {
      access_token: String(tokens['access_token']),
      openid: lan.openid(oa),
    });

    expect(tokens).toMatchObject({ openid: lan.openid(oa), scope: 'snsapi_base' });
    expect(tokens).not.toHaveProperty('unionid');
    expect(profile.body['errcode']).toBe(48001);
  });

  it('stays on a page of its own after a refusal', async () => {
    const { lan, app } = stage();
    await lan.openInWechat(authorizeUrl(stage()));

    const end = await lan.deny();

    expect(end.body).toContain('已拒绝授权');
    expect(app.heard).toHaveLength(0);
  });

  it('redirects with state alone after a refusal when the rule says so', async () => {
    const { wechat, lan, app } = stage();
    wechat.rules.deny = 'state-only';
    await lan.openInWechat(authorizeUrl(stage()));

    const end = await lan.deny();

    expect(end.url).toBe(`${app.origin}/callback?state=abc123`);
  });

  it('is silent for a follower who comes from the chat of the account, also with forcePopup', async () => {
    const { wechat, lan, oa, app } = stage();
    await lan.follow(oa);

    const fromChat = await lan.openInWechat(authorizeUrl(stage(), { forcePopup: 'true' }), { from: oa });
    const fromElsewhere = await lan.openInWechat(authorizeUrl(stage()));
    wechat.rules.silentForFollowers = false;
    const asked = await lan.openInWechat(authorizeUrl(stage()), { from: oa });

    expect(fromChat.url).toContain(`${app.origin}/callback?code=`);
    expect(fromElsewhere.body).toContain('允许');
    expect(asked.body).toContain('允许');
  });

  it('shows browsers outside WeChat a notice, with HTTP 200', async () => {
    const response = await fetch(authorizeUrl(stage()), { redirect: 'manual' });

    expect(response.status).toBe(200);
    expect(await response.text()).toContain('请在微信客户端打开链接');
  });

  it('asks a browser that only claims to be WeChat whose it is', async () => {
    const headers = { 'user-agent': 'MicroMessenger/8.0', 'accept-language': 'en' };

    const response = await fetch(authorizeUrl(stage()), { headers });

    expect(await response.text()).toContain('Whose WeChat is this?');
  });

  it('takes the consent only once', async () => {
    const { wechat, lan } = stage();
    const consent = await lan.openInWechat(authorizeUrl(stage()));
    const ticket = /name="ticket" value="(\w+)"/.exec(consent.body)?.[1] ?? '';
    await lan.confirm();

    const again = await lan.post(`${wechat.endpoints.open}/connect/oauth2/consent`, { ticket, allow: 'yes' });

    expect(again.body).toContain('页面已过期');
  });

  it('gives codes that live five minutes', async () => {
    const { wechat, lan, oa } = stage();
    const end = await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }));

    wechat.clock.advance(5 * 60 + 1);

    expect(await exchange(stage(), oa, codeIn(end.url))).toMatchObject({ errcode: 40029 });
  });
});

describe('the strictness of oauth2/authorize', () => {
  const stage = useStage();
  const redirect = (origin: string): string => encodeURIComponent(`${origin}/callback`);

  it.each([
    [
      'scope before response_type',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&scope=snsapi_base&response_type=code&state=s`,
      '10005',
    ],
    [
      'state before scope',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&response_type=code&state=s&scope=snsapi_base`,
      '10005',
    ],
    [
      'redirect_uri before appid',
      (a: string, r: string) => `redirect_uri=${r}&appid=${a}&response_type=code&scope=snsapi_base&state=s`,
      '10005',
    ],
    [
      'a stranger in between',
      (a: string, r: string) =>
        `appid=${a}&redirect_uri=${r}&forcePopup=true&response_type=code&scope=snsapi_base&state=s`,
      '10005',
    ],
    [
      'a parameter twice',
      (a: string, r: string) =>
        `appid=${a}&redirect_uri=${r}&response_type=code&scope=snsapi_base&scope=snsapi_userinfo&state=s`,
      '10005',
    ],
    [
      'no response_type',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&scope=snsapi_base&state=s`,
      '10005',
    ],
    [
      'the scope of websites',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&response_type=code&scope=snsapi_login&state=s`,
      '10005',
    ],
    [
      'no scope',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&response_type=code&scope=&state=s`,
      '10010',
    ],
    [
      'no redirect_uri',
      (a: string) => `appid=${a}&redirect_uri=&response_type=code&scope=snsapi_base&state=s`,
      '10011',
    ],
    [
      'no appid',
      (_: string, r: string) => `appid=&redirect_uri=${r}&response_type=code&scope=snsapi_base&state=s`,
      '10012',
    ],
    [
      'an empty state',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&response_type=code&scope=snsapi_base&state=`,
      '10013',
    ],
    [
      'a state with other characters',
      (a: string, r: string) => `appid=${a}&redirect_uri=${r}&response_type=code&scope=snsapi_base&state=a-b`,
      '10013',
    ],
    [
      'a state of 129 characters',
      (a: string, r: string) =>
        `appid=${a}&redirect_uri=${r}&response_type=code&scope=snsapi_base&state=${'s'.repeat(129)}`,
      '10013',
    ],
    [
      'another host',
      (a: string) =>
        `appid=${a}&redirect_uri=${encodeURIComponent('https://other.example/')}&response_type=code&scope=snsapi_base&state=s`,
      '10003',
    ],
    [
      'a redirect_uri that is no URL',
      (a: string) => `appid=${a}&redirect_uri=callback&response_type=code&scope=snsapi_base&state=s`,
      '10003',
    ],
  ])('answers %s with an error page', async (_, query, code) => {
    const { oa, app } = stage();

    expect(await errorCodeFor(stage(), query(oa.appid, redirect(app.origin)))).toBe(code);
    expect(app.heard).toHaveLength(0);
  });

  it('accepts a request without state, with a state of 128 characters, and with more parameters at the end', async () => {
    const { wechat, lan, oa, app } = stage();
    const start = `${wechat.endpoints.open}/connect/oauth2/authorize?appid=${oa.appid}&redirect_uri=${redirect(app.origin)}&response_type=code&scope=snsapi_base`;

    const stateless = await lan.openInWechat(start);
    const long = await lan.openInWechat(
      `${start}&state=${'s'.repeat(128)}&connect_redirect=1&uin=x&key=y#wechat_redirect`,
    );

    expect(stateless.url).toMatch(/\/callback\?code=\w+$/);
    expect(long.url).toMatch(/&state=s{128}$/);
  });

  it('refuses a port unless the registered domain is this machine', async () => {
    const { account } = stage();
    const oa = account.officialAccount({ oauthDomain: 'app.example.com' });
    const query = (uri: string): string =>
      `appid=${oa.appid}&redirect_uri=${encodeURIComponent(uri)}&response_type=code&scope=snsapi_userinfo&state=s`;

    expect(await errorCodeFor(stage(), query('https://app.example.com:8443/cb'))).toBe('10003');
    expect(await errorCodeFor(stage(), query('https://app.example.com:443/cb'))).toBe('10003');
    expect(await errorCodeFor(stage(), query('https://sub.app.example.com/cb'))).toBe('10003');
    expect(await errorCodeFor(stage(), query('https://app.example.com/cb?a=b'))).toBeUndefined();
  });

  it('refuses Open Platform apps, unverified, banned and unknown accounts, and strangers on test accounts', async () => {
    const { account, app, site } = stage();
    const query = (appid: string): string =>
      `appid=${appid}&redirect_uri=${redirect(app.origin)}&response_type=code&scope=snsapi_base&state=s`;
    const unverified = account.officialAccount({ oauthDomain: '127.0.0.1', verified: false });
    const banned = account.officialAccount({ oauthDomain: '127.0.0.1' });
    banned.settings.banned = true;
    const sandbox = account.officialAccount({ oauthDomain: '127.0.0.1', sandbox: true });

    expect(await errorCodeFor(stage(), query(site.appid))).toBe('10016');
    expect(await errorCodeFor(stage(), query(account.mobileApp().appid))).toBe('10016');
    expect(await errorCodeFor(stage(), query(unverified.appid))).toBe('10005');
    expect(await errorCodeFor(stage(), query(banned.appid))).toBe('10004');
    expect(await errorCodeFor(stage(), query('wx0000000000000000'))).toBe('10012');
    expect(await errorCodeFor(stage(), query(sandbox.appid))).toBe('10006');
  });
});

describe('snapshot pages', () => {
  const stage = useStage();

  it('return virtual ids and the flag without asking', async () => {
    const { wechat, lan, oa, account } = stage();
    wechat.rules.snapshot = true;

    const end = await lan.openInWechat(authorizeUrl(stage()));
    const tokens = await exchange(stage(), oa, codeIn(end.url));

    expect(tokens['is_snapshotuser']).toBe(1);
    expect(tokens['openid']).not.toBe(lan.openid(oa));
    expect(tokens['unionid']).not.toBe(lan.unionid(account));
    expect(String(tokens['openid'])).toMatch(/^o[\w-]{27}$/);
  });

  it('show a virtual profile, or 48001 as was once reported', async () => {
    const { wechat, lan, oa } = stage();
    const end = await lan.openInWechat(authorizeUrl(stage(), { forceSnapShot: 'true' }));
    const tokens = await exchange(stage(), oa, codeIn(end.url));
    const query = { access_token: String(tokens['access_token']), openid: String(tokens['openid']) };

    const virtual = await callApi(stage(), '/sns/userinfo', query);
    wechat.rules.snapshotProfile = 48001;
    const refused = await callApi(stage(), '/sns/userinfo', query);

    expect(virtual.body['nickname']).toBe('微信用户');
    expect(refused.body['errcode']).toBe(48001);
  });

  it('are left by 使用完整服务 for the real consent', async () => {
    const { wechat, lan, oa } = stage();
    wechat.rules.snapshot = true;
    await lan.openInWechat(authorizeUrl(stage()));

    const consent = await lan.useFullService();
    const end = await lan.confirm();

    expect(consent.body).toContain('允许');
    expect(await exchange(stage(), oa, codeIn(end.url))).toMatchObject({ openid: lan.openid(oa) });
  });
});
