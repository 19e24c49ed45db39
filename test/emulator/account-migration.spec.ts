import { type OfficialAccount, WechatEmulator } from '../../emulator/index.js';
import {
  authorizeUrl,
  baseToken,
  callApi,
  codeIn,
  exchange,
  postApi,
  qrconnectUrl,
  useStage,
} from './support/stage.js';

const days = 86_400;

describe('an Official Account that moves into another one', () => {
  const stage = useStage();
  let target: OfficialAccount;

  beforeEach(() => {
    target = stage().account.officialAccount({ oauthDomain: '127.0.0.1' });
  });

  const ask = (openids: unknown, from_appid = stage().oa.appid) =>
    postApi({ ...stage(), oa: target }, '/cgi-bin/changeopenid', { from_appid, openid_list: openids });

  it('takes its followers along, is frozen, and tells whose new openid is which', async () => {
    const { lan, oa, wechat } = stage();
    await lan.follow(oa);
    const left = wechat.person({ nickname: '走' });
    await left.follow(oa);
    await left.unfollow(oa);

    oa.migrateTo(target);
    oa.confirmMigration();

    expect(await ask([lan.openid(oa), left.openid(oa), 'oNobody'])).toEqual({
      errcode: 0,
      errmsg: 'ok',
      result_list: [
        { ori_openid: lan.openid(oa), new_openid: lan.openid(target), err_msg: 'ok' },
        { ori_openid: left.openid(oa), err_msg: 'ori_openid error' },
        { ori_openid: 'oNobody', err_msg: 'ori_openid error' },
      ],
    });
    expect(
      await callApi(stage(), '/cgi-bin/user/info', {
        access_token: await baseToken({ wechat, oa: target }),
        openid: lan.openid(target),
      }),
    ).toMatchObject({ body: { subscribe: 1, subscribe_scene: 'ADD_SCENE_ACCOUNT_MIGRATION' } });
    expect(await postApi(stage(), '/cgi-bin/user/get', {})).toMatchObject({ errcode: 50007 });
    expect((await lan.openInWechat(authorizeUrl(stage()))).body).toContain('data-error-code="10004"');
  });

  it.each([63178, 63183, -1] as const)(
    'is refused before the confirmation, after fifteen days, and without a migration: %d',
    async (errcode) => {
      const { lan, oa, wechat } = stage();
      wechat.rules.migrationMissing = errcode;
      await lan.follow(oa);
      const openids = [lan.openid(oa)];

      expect(await ask(openids)).toMatchObject({ errcode });
      oa.migrateTo(target);
      expect(await ask(openids)).toMatchObject({ errcode });
      oa.confirmMigration();
      wechat.clock.advance(15 * days - 10);
      expect(await ask(openids)).toMatchObject({ errcode: 0 });
      wechat.clock.advance(11);
      expect(await ask(openids)).toMatchObject({ errcode });
    },
  );

  it.each([
    ['either', true, true],
    ['appid', true, false],
    ['original-id', false, true],
  ] as const)('may be named by %s', async (rule, byAppid, byOriginalId) => {
    const { oa, wechat } = stage();
    wechat.rules.migrationFrom = rule;
    oa.migrateTo(target);
    oa.confirmMigration();

    const answers = [await ask(['oX'], oa.appid), await ask(['oX'], oa.originalId)];

    expect(answers.map(({ errcode }) => errcode === 0)).toEqual([byAppid, byOriginalId]);
  });

  it('takes one to a hundred openids, as JSON', async () => {
    const { oa, wechat } = stage();
    oa.migrateTo(target);
    oa.confirmMigration();
    const many = (count: number) => Array.from({ length: count }, (_, index) => `o${index}`);

    expect(await ask(many(100))).toMatchObject({ result_list: { length: 100 } });
    expect(await ask(many(101))).toMatchObject({ errcode: 40032 });
    wechat.rules.tooManyOpenids = 40097;
    expect(await ask(many(101))).toMatchObject({ errcode: 40097 });
    expect(await ask([])).toMatchObject({
      errcode: 63182,
      errmsg: expect.stringContaining('openid_list empty') as unknown,
    });
    const query = { access_token: await baseToken({ wechat, oa: target }) };
    const body = new URLSearchParams({ from_appid: oa.appid, openid_list: 'oX' });
    expect(
      (await callApi(stage(), '/cgi-bin/changeopenid', query, { method: 'POST', body })).body,
    ).toMatchObject({ errcode: 63182 });
    expect((await callApi(stage(), '/cgi-bin/changeopenid', query)).body).toMatchObject({ errcode: 43002 });
  });

  it('tells of people who never followed where it covers the authorized too', async () => {
    const { lan, oa, wechat } = stage();
    await lan.openInWechat(authorizeUrl(stage()));
    await lan.confirm();
    wechat.rules.migratedPeople = 'authorized-too';

    oa.migrateTo(target);
    oa.confirmMigration();

    expect(await ask([lan.openid(oa)])).toMatchObject({ result_list: [{ new_openid: lan.openid(target) }] });
  });

  it('belongs to an account that can move, once', () => {
    const { account, oa } = stage();
    const personal = account.officialAccount({ oauthDomain: '127.0.0.1', verified: false });

    expect(() => personal.migrateTo(target)).toThrow('not verified');
    expect(() => oa.confirmMigration()).toThrow('does not move');
    expect(() => oa.migrateTo(oa)).toThrow('into itself');
    oa.migrateTo(target);
    expect(() => oa.migrateTo(target)).toThrow('moves already');
  });

  it('can be made over HTTP', async () => {
    const { lan, oa, wechat } = stage();
    await lan.follow(oa);
    const post = (path: string, body: object) =>
      fetch(`${wechat.endpoints.api}/_emulator/apps/${oa.appid}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });

    expect((await post('/migration', { to: target.appid })).status).toBe(200);
    expect(await ask([lan.openid(oa)])).toMatchObject({ errcode: 63178 });
    expect((await post('/migration/confirm', {})).status).toBe(200);
    expect(await ask([lan.openid(oa)])).toMatchObject({ errcode: 0 });
  });
});

describe('changeopenid by http', () => {
  it('is redirected to https where the platform insists', async () => {
    const wechat = await WechatEmulator.start({ rules: { migrationOverHttp: 'redirected' } });

    const answer = await fetch(`${wechat.endpoints.api}/cgi-bin/changeopenid?access_token=x`, {
      method: 'POST',
      body: '{}',
      redirect: 'manual',
    });

    expect([answer.status, answer.headers.get('location')]).toEqual([
      301,
      `${wechat.endpoints.api.replace('http:', 'https:')}/cgi-bin/changeopenid?access_token=x`,
    ]);
    await wechat.stop();
  });
});

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
