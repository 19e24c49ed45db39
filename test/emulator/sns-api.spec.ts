import {
  authorizeUrl,
  callApi,
  codeIn,
  exchange,
  qrconnectUrl,
  textLike,
  useStage,
  type Stage,
} from './support/stage.js';

async function signedIn(stage: Stage): Promise<Record<string, string>> {
  await stage.lan.openInWechat(authorizeUrl(stage));
  const end = await stage.lan.confirm();
  const tokens = await exchange(stage, stage.oa, codeIn(end.url));
  return Object.fromEntries(Object.entries(tokens).map(([key, value]) => [key, String(value)]));
}

async function websiteCode(stage: Stage): Promise<string> {
  const screen = await stage.wechat.showQrCode(qrconnectUrl(stage));
  await stage.lan.scan(screen.content);
  await stage.lan.confirm();
  return (await screen.finish()).code;
}

describe('/sns/oauth2/access_token', () => {
  const stage = useStage();
  const path = '/sns/oauth2/access_token';

  it('answers with tokens, openid and unionid as text/plain without charset', async () => {
    const { site, lan, account } = stage();
    const query = {
      appid: site.appid,
      secret: site.secret,
      code: await websiteCode(stage()),
      grant_type: 'authorization_code',
    };

    const { response, body } = await callApi(stage(), path, query);

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(body).toEqual({
      access_token: textLike(/^88_/),
      expires_in: 7200,
      refresh_token: textLike(/^88_/),
      openid: lan.openid(site),
      scope: 'snsapi_login',
      unionid: lan.unionid(account),
    });
  });

  it('misses parameters and doubts credentials in WeChat’s order', async () => {
    const { site } = stage();
    const code = await websiteCode(stage());
    const good = { appid: site.appid, secret: site.secret, code, grant_type: 'authorization_code' };
    const errcodeOf = async (query: Record<string, string>): Promise<unknown> =>
      (await callApi(stage(), path, query)).body['errcode'];

    expect(await errcodeOf({})).toBe(41002);
    expect(await errcodeOf({ appid: 'nobody' })).toBe(41004);
    expect(await errcodeOf({ appid: 'nobody', secret: 'x' })).toBe(41008);
    expect(await errcodeOf({ appid: 'nobody', secret: 'x', code })).toBe(40002);
    expect(await errcodeOf({ ...good, appid: 'nobody', secret: 'x' })).toBe(40013);
    expect(await errcodeOf({ ...good, secret: 'x', code: 'x' })).toBe(40125);
    expect(await errcodeOf({ ...good, code: 'x' })).toBe(40029);
    expect(await errcodeOf({ ...good, appid: site.appid.toUpperCase() })).toBe(40013);
    expect(await errcodeOf(good)).toBeUndefined();
  });

  it('writes errors with HTTP 200 and a rid that begins with the time', async () => {
    const { wechat } = stage();
    wechat.clock.set(Date.UTC(2022, 8, 18, 11, 24, 15));

    const { response, body } = await callApi(stage(), path, {});

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(body['errmsg']).toMatch(/^appid missing, rid: 6326ff[de][0-9a-f]-[0-9a-f]{8}-[0-9a-f]{8}$/);
  });

  it('says 40163 to a used code while it is fresh and 40029 afterwards', async () => {
    const { wechat, site } = stage();
    const code = await websiteCode(stage());
    await exchange(stage(), site, code);

    const soon = await exchange(stage(), site, code);
    wechat.clock.advance(10 * 60 + 1);
    const late = await exchange(stage(), site, code);

    expect(soon['errcode']).toBe(40163);
    expect(soon['errmsg']).toMatch(/^code been used, rid: /);
    expect(late['errcode']).toBe(40029);
  });

  it('says 42003 to an expired code when told to', async () => {
    const { wechat, site } = stage();
    wechat.rules.expiredCode = 42003;
    const code = await websiteCode(stage());

    wechat.clock.advance(10 * 60 + 1);

    expect((await exchange(stage(), site, code))['errcode']).toBe(42003);
  });

  it('does not know the code of another app, and leaves it usable', async () => {
    const { oa, site } = stage();
    const code = await websiteCode(stage());

    const foreign = await exchange(stage(), oa, code);
    const own = await exchange(stage(), site, code);

    expect(foreign['errcode']).toBe(40029);
    expect(own['errcode']).toBeUndefined();
  });
});

describe('ids', () => {
  const stage = useStage();

  it('give one person another openid in every app and one unionid per Open Platform account', () => {
    const { wechat, lan, site, oa, account } = stage();
    const other = wechat.openPlatformAccount();

    expect(lan.openid(site)).toMatch(/^o[\w-]{27}$/);
    expect(lan.openid(site)).not.toBe(lan.openid(oa));
    expect(lan.openid(site)).toBe(lan.openid(site));
    expect(lan.unionid(account)).toHaveLength(28);
    expect(lan.unionid(account)).not.toBe(lan.unionid(other));
  });

  it('show no unionid until the app is bound to an Open Platform account', async () => {
    const { wechat, account, lan } = stage();
    const alone = wechat.officialAccount({ oauthDomain: '127.0.0.1' });
    const before = await signedIn({ ...stage(), oa: alone });

    account.bind(alone);
    const after = await signedIn({ ...stage(), oa: alone });

    expect(before).not.toHaveProperty('unionid');
    expect(after['unionid']).toBe(lan.unionid(account));
    expect(after['openid']).toBe(before['openid']);
  });

  it('show none in an app that the account registered without binding it', async () => {
    const { account } = stage();
    const loose = account.officialAccount({ oauthDomain: '127.0.0.1', bound: false });

    expect(await signedIn({ ...stage(), oa: loose })).not.toHaveProperty('unionid');
  });

  it('show the unionid with snsapi_base after an earlier consent, if the rule says so', async () => {
    const { wechat, lan, oa, account } = stage();
    wechat.rules.unionidWithBaseScope = 'after-userinfo';
    const silently = async (): Promise<Record<string, unknown>> =>
      exchange(
        stage(),
        oa,
        codeIn((await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }))).url),
      );

    const before = await silently();
    await signedIn(stage());
    const after = await silently();

    expect(before).not.toHaveProperty('unionid');
    expect(after['unionid']).toBe(lan.unionid(account));
  });
});

describe('/sns/userinfo and /sns/auth', () => {
  const stage = useStage();

  it('show the profile with the empty fields of today', async () => {
    const { lan, oa, account } = stage();
    const { access_token = '', openid = '' } = await signedIn(stage());

    const { response, body } = await callApi(stage(), '/sns/userinfo', {
      access_token,
      openid,
      lang: 'zh_CN',
    });

    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(body).toEqual({
      openid: lan.openid(oa),
      nickname: '小兰',
      sex: 0,
      language: '',
      city: '',
      province: '',
      country: '',
      headimgurl: '',
      privilege: [],
      unionid: lan.unionid(account),
    });
  });

  it.each(['/sns/userinfo', '/sns/auth'])('%s names what is wrong with a token', async (path) => {
    const { wechat } = stage();
    const { access_token = '', openid = '' } = await signedIn(stage());
    const errcodeOf = async (query: Record<string, string>): Promise<unknown> =>
      (await callApi(stage(), path, query)).body['errcode'];

    expect(await errcodeOf({ openid })).toBe(41001);
    expect(await errcodeOf({ access_token })).toBe(41009);
    expect(await errcodeOf({ access_token: 'x', openid })).toBe(40001);
    expect(await errcodeOf({ access_token, openid: 'x' })).toBe(40003);
    expect(await errcodeOf({ access_token, openid })).toBe(path === '/sns/auth' ? 0 : undefined);
    wechat.clock.advance(7200);
    expect(await errcodeOf({ access_token, openid })).toBe(42001);
  });

  it('refuse everything of a closed WeChat account', async () => {
    const { lan } = stage();
    const { access_token = '', openid = '' } = await signedIn(stage());

    await lan.closeAccount();

    expect((await callApi(stage(), '/sns/userinfo', { access_token, openid })).body['errcode']).toBe(50002);
  });

  it('refuse an authorization that was withdrawn', async () => {
    const { lan, oa } = stage();
    const { access_token = '', openid = '', refresh_token = '' } = await signedIn(stage());

    await lan.revokeAuthorization(oa);

    expect((await callApi(stage(), '/sns/userinfo', { access_token, openid })).body['errcode']).toBe(50001);
    const refresh = { appid: oa.appid, grant_type: 'refresh_token', refresh_token };
    expect((await callApi(stage(), '/sns/oauth2/refresh_token', refresh)).body['errcode']).toBe(40030);
  });
});

describe('/sns/oauth2/refresh_token', () => {
  const stage = useStage();

  it('renews a live access token and replaces an expired one, without the secret', async () => {
    const { wechat, oa } = stage();
    const first = await signedIn(stage());
    const query = {
      appid: oa.appid,
      grant_type: 'refresh_token',
      refresh_token: first['refresh_token'] ?? '',
    };

    wechat.clock.advance(7000);
    const { body: renewed } = await callApi(stage(), '/sns/oauth2/refresh_token', query);
    wechat.clock.advance(7000);
    const alive = await callApi(stage(), '/sns/auth', {
      access_token: first['access_token'] ?? '',
      openid: first['openid'] ?? '',
    });
    wechat.clock.advance(300);
    const { body: replaced } = await callApi(stage(), '/sns/oauth2/refresh_token', query);

    expect(renewed['access_token']).toBe(first['access_token']);
    expect(renewed).not.toHaveProperty('unionid');
    expect(alive.body['errcode']).toBe(0);
    expect(replaced['access_token']).not.toBe(first['access_token']);
    expect(replaced['refresh_token']).toBe(first['refresh_token']);
  });

  it('ends after thirty days, or after as many as the app is given', async () => {
    const { wechat, oa, account } = stage();
    const patient = account.officialAccount({ oauthDomain: '127.0.0.1', refreshTokenDays: 180 });
    const short = await signedIn(stage());
    const long = await signedIn({ ...stage(), oa: patient });
    const refresh = async (appid: string, refresh_token = ''): Promise<unknown> =>
      (
        await callApi(stage(), '/sns/oauth2/refresh_token', {
          appid,
          grant_type: 'refresh_token',
          refresh_token,
        })
      ).body['errcode'];

    wechat.clock.advance(30 * 86_400);

    expect(await refresh(oa.appid, short['refresh_token'])).toBe(42002);
    expect(await refresh(patient.appid, long['refresh_token'])).toBeUndefined();
    wechat.clock.advance(150 * 86_400);
    expect(await refresh(patient.appid, long['refresh_token'])).toBe(42002);
  });

  it('misses and refuses refresh tokens', async () => {
    const { oa, site } = stage();
    const { refresh_token = '' } = await signedIn(stage());
    const errcodeOf = async (query: Record<string, string>): Promise<unknown> =>
      (await callApi(stage(), '/sns/oauth2/refresh_token', query)).body['errcode'];

    expect(await errcodeOf({ appid: oa.appid, grant_type: 'refresh_token' })).toBe(41003);
    expect(await errcodeOf({ appid: oa.appid, grant_type: 'x', refresh_token })).toBe(40002);
    expect(await errcodeOf({ appid: site.appid, grant_type: 'refresh_token', refresh_token })).toBe(40030);
    expect(await errcodeOf({ appid: oa.appid, grant_type: 'refresh_token', refresh_token: 'x' })).toBe(40030);
  });
});

describe('unknown paths', () => {
  const stage = useStage();

  it('are 40066 on the API hosts, in the style of the path', async () => {
    const sns = await callApi(stage(), '/sns/nothing', {});
    const cgi = await callApi(stage(), '/cgi-bin/nothing', {});

    expect(sns.body['errmsg']).toMatch(/^invalid url, rid: /);
    expect(cgi.response.headers.get('content-type')).toBe('application/json; encoding=utf-8');
    expect(cgi.body['errcode']).toBe(40066);
    expect(cgi.body['errmsg']).toMatch(/^invalid url rid: /);
  });
});
