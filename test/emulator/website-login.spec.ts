import { codeIn, exchange, qrconnectUrl, useStage } from './support/stage.js';

describe('QR sign-in on a PC', () => {
  const stage = useStage();

  it('goes from waiting to scanned to confirmed and returns a code with the state', async () => {
    const { wechat, lan, app, site } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    const scanned = await lan.scan(screen.content);
    const afterScan = await screen.poll();
    await lan.confirm();
    const afterConfirm = await screen.poll();

    expect(scanned.kind).toBe('login');
    expect(afterScan.errcode).toBe(404);
    expect(afterConfirm.errcode).toBe(405);
    expect(afterConfirm.code).toMatch(/^0[0-9A-Za-z]{31}$/);
    expect(afterConfirm.redirectTo).toBe(`${app.origin}/callback?code=${afterConfirm.code}&state=xyz`);
    expect(await exchange(stage(), site, afterConfirm.code)).toMatchObject({
      openid: lan.openid(site),
      scope: 'snsapi_login',
    });
  });

  it('tells a refusal to the page and redirects nowhere, and lets the code be scanned again', async () => {
    const { wechat, lan } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    await lan.scan(screen.content);
    await screen.poll();
    await lan.deny();
    const refused = await screen.poll();
    const again = await lan.scan(screen.content);

    expect(refused).toEqual({ errcode: 403, code: '' });
    expect(again.kind).toBe('login');
  });

  it('redirects with state alone after a refusal when told to behave as documents until 2020 said', async () => {
    const { wechat, lan, app } = stage();
    wechat.rules.deny = 'state-only';
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    await lan.scan(screen.content);
    await lan.deny();

    expect((await screen.finish()).redirectTo).toBe(`${app.origin}/callback?state=xyz`);
  });

  it('expires after five minutes, also under a hanging poll', async () => {
    const { wechat, lan } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    const hanging = screen.poll();
    wechat.clock.advance(5 * 60 + 1);

    expect((await hanging).errcode).toBe(402);
    expect((await lan.scan(screen.content)).kind).toBe('expired');
    await expect(lan.confirm()).rejects.toThrow('nothing on');
  });

  it('answers a poll with 408 when nobody scans', async () => {
    const { wechat } = stage();
    wechat.rules.longPoll = 50;
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    expect((await screen.poll()).errcode).toBe(408);
  });

  it('accepts parameters in any order, and the widget without response_type', async () => {
    const { wechat, site, app } = stage();
    const redirect = encodeURIComponent(`${app.origin}/callback`);
    const url = `${wechat.endpoints.open}/connect/qrconnect?appid=${site.appid}&scope=snsapi_login&redirect_uri=${redirect}&state=s&login_type=jssdk&self_redirect=default&styletype=&sizetype=&bgcolor=&rst=`;

    const screen = await wechat.showQrCode(url);

    expect(screen.uuid).toMatch(/^\w{16}$/);
  });

  it.each([
    ['another host', { redirect_uri: 'https://evil.example/callback' }, 'redirect_uri 参数错误'],
    ['a redirect_uri that is no URL', { redirect_uri: '/callback' }, 'redirect_uri 参数错误'],
    ['the scope of Official Accounts', { scope: 'snsapi_userinfo' }, 'Scope 参数错误或没有 Scope 权限'],
    ['an unknown appid', { appid: 'wx0000000000000000' }, 'AppID 参数错误'],
    ['no response_type outside the widget', { response_type: 'token' }, 'response_type 参数错误'],
  ])('shows an error page for %s', async (_, change, text) => {
    const response = await fetch(qrconnectUrl(stage(), change), { redirect: 'manual' });

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(await response.text()).toContain(text);
  });

  it('refuses the appid of an Official Account', async () => {
    const { oa } = stage();

    const response = await fetch(qrconnectUrl(stage(), { appid: oa.appid }));

    expect(await response.text()).toContain('Scope 参数错误或没有 Scope 权限');
  });

  it('keeps what redirect_uri has in its query', async () => {
    const { wechat, lan, app } = stage();
    const screen = await wechat.showQrCode(
      qrconnectUrl(stage(), { redirect_uri: `${app.origin}/callback?next=%2Fhome` }),
    );

    await lan.scan(screen.content);
    await lan.confirm();
    const { redirectTo, code } = await screen.finish();

    expect(redirectTo).toBe(`${app.origin}/callback?next=%2Fhome&code=${code}&state=xyz`);
  });

  it('answers f=xml with the uuid', async () => {
    const response = await fetch(qrconnectUrl(stage(), { f: 'xml' }));

    expect(response.headers.get('content-type')).toContain('text/xml');
    expect(await response.text()).toMatch(/<uuid><!\[CDATA\[\w{16}\]\]><\/uuid>/);
  });

  it('draws a real QR code as a PNG', async () => {
    const { wechat } = stage();
    const { uuid } = await wechat.showQrCode(qrconnectUrl(stage()));

    const response = await fetch(`${wechat.endpoints.open}/connect/qrcode/${uuid}`);
    const bytes = Buffer.from(await response.arrayBuffer());

    expect(response.headers.get('content-type')).toBe('image/png');
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    expect(bytes.readUInt32BE(16)).toBe(430);
  });

  it('serves wxLogin.js', async () => {
    const { wechat } = stage();

    const response = await fetch(`${wechat.endpoints.open}/connect/zh_CN/htmledition/js/wxLogin.js`);

    expect(response.headers.get('content-type')).toContain('javascript');
    expect(await response.text()).toContain('window.WxLogin');
  });

  it('shows what the QR code says to WeChat only', async () => {
    const { wechat } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));

    const response = await fetch(screen.content);

    expect(await response.text()).toContain('请在微信客户端打开链接');
  });

  it('gives codes that live ten minutes', async () => {
    const { wechat, lan, site } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));
    await lan.scan(screen.content);
    await lan.confirm();
    const { redirectTo } = await screen.finish();

    wechat.clock.advance(10 * 60 - 5);
    const inTime = await exchange(stage(), site, codeIn(redirectTo));

    expect(inTime['openid']).toBe(lan.openid(site));
  });
});
