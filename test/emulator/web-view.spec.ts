import { authorizeUrl, useStage } from './support/stage.js';

describe('the web view', () => {
  const stage = useStage();

  it('speaks as WeChat on the phone or computer it is told to be', async () => {
    const { lan, app } = stage();
    await lan.openInWechat(app.origin);
    await lan.openInWechat(app.origin, { client: 'ios' });
    await lan.openInWechat(app.origin, { client: 'windows' });
    await lan.openInWechat(app.origin, { client: 'wecom' });
    const agents = app.heard.map(({ headers }) => headers['user-agent']);

    expect(agents[0]).toMatch(/Android.*MicroMessenger\//);
    expect(agents[1]).toMatch(/iPhone.*MicroMessenger\//);
    expect(agents[2]).toMatch(/MicroMessenger\/.*WindowsWechat/);
    expect(agents[3]).toMatch(/wxwork\/.*MicroMessenger\//);
  });

  it('keeps each person’s cookies apart', async () => {
    const { wechat, lan, app } = stage();
    const ming = wechat.person({ nickname: '小明' });
    app.respond = (response) => response.setHeader('set-cookie', 'a=1').end();
    await lan.openInWechat(app.origin);

    await lan.openInWechat(app.origin);
    await ming.openInWechat(app.origin);

    expect(app.heard.map(({ headers }) => headers.cookie)).toEqual([undefined, 'a=1', undefined]);
  });

  it('brings __Host- and Secure cookies back on this machine and refuses what browsers refuse', async () => {
    const { lan, app } = stage();
    const lines = [
      '__Host-good=1; Secure; Path=/; HttpOnly; SameSite=Lax',
      '__Host-path=1; Secure; Path=/deeper',
      '__Host-domain=1; Secure; Path=/; Domain=127.0.0.1',
      '__Secure-plain=1; Path=/',
      'foreign=1; Domain=example.com',
      'none=1; SameSite=None',
      'gone=1; Max-Age=0',
      'past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ];
    app.respond = (response) => response.setHeader('set-cookie', lines).end();
    await lan.openInWechat(app.origin);

    await lan.openInWechat(app.origin);

    expect(app.last?.headers.cookie).toBe('__Host-good=1');
  });

  it('forgets cookies when their time is over or they are cleared', async () => {
    const { wechat, lan, app } = stage();
    app.respond = (response) =>
      response.setHeader('set-cookie', ['short=1; Max-Age=60', 'long=1; Max-Age=600']).end();
    await lan.openInWechat(app.origin);
    app.respond = (response) => response.end();
    await lan.openInWechat(app.origin);
    wechat.clock.advance(61);
    await lan.openInWechat(app.origin);
    app.respond = (response) => response.setHeader('set-cookie', 'long=; Max-Age=0').end();
    await lan.openInWechat(app.origin);
    await lan.openInWechat(app.origin);

    expect(app.heard.slice(1).map(({ headers }) => headers.cookie)).toEqual([
      'short=1; long=1',
      'long=1',
      'long=1',
      undefined,
    ]);
  });

  it('respects paths, and SameSite when WeChat sends the browser back', async () => {
    const { lan, app, wechat, account } = stage();
    const oa = account.officialAccount({ oauthDomain: 'localhost' });
    const origin = app.origin.replace('127.0.0.1', 'localhost');
    app.respond = (response) =>
      response
        .setHeader('set-cookie', [
          'strict=1; SameSite=Strict; Path=/',
          'lax=1; Path=/',
          'other=1; Path=/other',
        ])
        .end();
    await lan.openInWechat(origin);
    const query = new URLSearchParams({
      appid: oa.appid,
      redirect_uri: `${origin}/callback`,
      response_type: 'code',
      scope: 'snsapi_base',
      state: 's',
    });

    await lan.openInWechat(`${wechat.endpoints.open}/connect/oauth2/authorize?${query.toString()}`);

    expect(app.last?.url.pathname).toBe('/callback');
    expect(app.last?.headers.cookie).toBe('lax=1');
  });

  it('follows redirects as a browser does and says where they led', async () => {
    const { lan, app } = stage();
    app.respond = (response, { url, method }) => {
      if (url.pathname === '/form') response.writeHead(303, { location: '/done' }).end();
      else if (url.pathname === '/keep') response.writeHead(307, { location: '/kept' }).end();
      else response.end(`${method} ${url.pathname}`);
    };

    const seen = await lan.post(`${app.origin}/form`, { a: '1' });
    const kept = await lan.post(`${app.origin}/keep`, { a: '1' });

    expect([seen.body, kept.body]).toEqual(['GET /done', 'POST /kept']);
    expect(seen.redirects).toEqual([`${app.origin}/done`]);
    expect(app.heard[0]).toMatchObject({ method: 'POST', body: 'a=1', headers: { origin: app.origin } });
  });

  it('gives up on endless redirects', async () => {
    const { lan, app } = stage();
    app.respond = (response) => response.writeHead(302, { location: '/again' }).end();

    await expect(lan.openInWechat(app.origin)).rejects.toThrow('too many redirects');
  });

  it('tells nobody but the emulator whose phone it is', async () => {
    const { lan, app } = stage();
    await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }));

    expect(Object.keys(app.last?.headers ?? {}).filter((name) => name.startsWith('x-emulator'))).toEqual([]);
  });
});

describe('an emulator', () => {
  it('repeats its people and apps when started with the same seed', async () => {
    const { WechatEmulator } = await import('../../emulator/index.js');
    const ids = async (): Promise<unknown> => {
      const wechat = await WechatEmulator.start({ seed: 'demo' });
      const account = wechat.openPlatformAccount();
      const site = account.websiteApp({ callbackDomain: 'localhost' });
      const lan = wechat.person({ nickname: '小兰', id: 'lan' });
      await wechat.stop();
      return [site.appid, site.secret, lan.openid(site), lan.unionid(account)];
    };

    expect(await ids()).toEqual(await ids());
  });

  it('frees its port and cuts whoever hangs on it', async () => {
    const { WechatEmulator } = await import('../../emulator/index.js');
    const wechat = await WechatEmulator.start();
    wechat.once('/sns/auth', { delay: 60_000 });
    const hanging = expect(fetch(`${wechat.endpoints.api}/sns/auth`)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 30));

    await wechat.stop();

    await hanging;
    const port = Number(new URL(wechat.endpoints.api).port);
    const again = await WechatEmulator.start({ port });
    await again.stop();
  });
});
