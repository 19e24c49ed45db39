import { baseToken, callApi, createQrCode, postApi, textLike, useStage } from './support/stage.js';

const path = '/cgi-bin/qrcode/create';
const scene = (scene_str: unknown): object => ({ action_info: { scene: { scene_str } } });
const number = (scene_id: unknown): object => ({ action_info: { scene: { scene_id } } });

describe('/cgi-bin/qrcode/create', () => {
  const stage = useStage();

  it('returns a ticket that must be encoded, its lifetime, and what the code says', async () => {
    const answer = await postApi(stage(), path, {
      expire_seconds: 600,
      action_name: 'QR_STR_SCENE',
      ...scene('login'),
    });

    expect(answer).toEqual({
      ticket: textLike(/^gQ\+\/.*==$/),
      expire_seconds: 600,
      url: textLike(/^http:\/\/weixin\.qq\.com\/q\/\w{24}$/),
    });
  });

  it('escapes the slashes of its JSON, as WeChat does', async () => {
    const { wechat } = stage();
    const token = await baseToken(stage());
    const body = JSON.stringify({ action_name: 'QR_LIMIT_SCENE', ...number(1) });

    const response = await fetch(`${wechat.endpoints.api}${path}?access_token=${token}`, {
      method: 'POST',
      body,
    });

    expect(await response.text()).toContain('"url":"http:\\/\\/weixin.qq.com\\/q\\/');
  });

  it('lasts thirty days at most and a minute when nobody says, or thirty seconds as older documents have it', async () => {
    const { wechat } = stage();
    const secondsFor = async (expire_seconds?: number): Promise<unknown> =>
      (await postApi(stage(), path, { expire_seconds, action_name: 'QR_STR_SCENE', ...scene('s') }))[
        'expire_seconds'
      ];

    expect(await secondsFor(9_999_999)).toBe(2_592_000);
    expect(await secondsFor()).toBe(60);
    wechat.rules.sceneSeconds = 30;
    expect(await secondsFor()).toBe(30);
  });

  it('gives permanent codes no lifetime', async () => {
    const answer = await postApi(stage(), path, { action_name: 'QR_LIMIT_STR_SCENE', ...scene('shop') });

    expect(Object.keys(answer)).toEqual(['ticket', 'url']);
  });

  it.each([
    ['an unknown action', { action_name: 'QR', ...scene('s') }, 40052],
    ['no action', { ...scene('s') }, 40052],
    ['no action_info', { action_name: 'QR_STR_SCENE' }, 40053],
    ['no scene', { action_name: 'QR_STR_SCENE', action_info: {} }, 40053],
    ['an empty scene', { action_name: 'QR_STR_SCENE', ...scene('') }, 40129],
    ['a scene of 65 characters', { action_name: 'QR_STR_SCENE', ...scene('s'.repeat(65)) }, 40129],
    ['a string where a number belongs', { action_name: 'QR_SCENE', ...scene('s') }, 40129],
    ['scene 0', { action_name: 'QR_SCENE', ...number(0) }, 40129],
    ['a scene beyond 32 bits', { action_name: 'QR_SCENE', ...number(2 ** 32) }, 40129],
    ['a permanent scene beyond 100,000', { action_name: 'QR_LIMIT_SCENE', ...number(100_001) }, 40129],
  ])('refuses %s', async (_, body, errcode) => {
    expect((await postApi(stage(), path, body))['errcode']).toBe(errcode);
  });

  it('refuses what is no JSON, and \\u escapes', async () => {
    const query = { access_token: await baseToken(stage()) };
    const errcodeOf = async (body: string): Promise<unknown> =>
      (await callApi(stage(), path, query, { method: 'POST', body })).body['errcode'];

    expect(await errcodeOf('{"action_name"')).toBe(47001);
    expect(await errcodeOf('{"action_name":"\\u0051R"}')).toBe(40033);
  });

  it('belongs to verified Official Accounts', async () => {
    const { oa } = stage();
    const token = await baseToken(stage());
    oa.settings.verified = false;

    const { body } = await callApi(stage(), path, { access_token: token }, { method: 'POST', body: '{}' });

    expect(body['errcode']).toBe(48001);
  });

  it('has a daily quota', async () => {
    const { wechat } = stage();
    wechat.rules.qrCodesPerDay = 1;
    await createQrCode(stage(), 'first');

    const over = await postApi(stage(), path, { action_name: 'QR_STR_SCENE', ...scene('second') });

    expect(over['errcode']).toBe(45009);
  });
});

describe('/cgi-bin/showqrcode', () => {
  const stage = useStage();

  it('draws a ticket', async () => {
    const { wechat } = stage();
    const { ticket = '' } = await createQrCode(stage(), 'login');

    const response = await fetch(
      `${wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=${encodeURIComponent(ticket)}`,
    );

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/png');
  });

  it('answers 404 to a ticket that is wrong or was not encoded', async () => {
    const { wechat } = stage();
    const { ticket = '' } = await createQrCode(stage(), 'login');

    const wrong = await fetch(`${wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=x`);
    const raw = await fetch(`${wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=${ticket}`);

    expect([wrong.status, raw.status]).toEqual([404, 404]);
  });
});

describe('scanning a parametric code', () => {
  const stage = useStage();

  it('follows a new account with the scene prefixed by qrscene_', async () => {
    const { lan, oa } = stage();
    const { url = '', ticket } = await createQrCode(stage(), 'login:1');

    const result = await lan.scan(url);

    expect(result).toMatchObject({ kind: 'chat', appid: oa.appid });
    expect(oa.deliveries.map(({ fields }) => fields)).toEqual([
      {
        ToUserName: oa.originalId,
        FromUserName: lan.openid(oa),
        CreateTime: expect.any(Number) as unknown,
        MsgType: 'event',
        Event: 'subscribe',
        EventKey: 'qrscene_login:1',
        Ticket: ticket,
      },
    ]);
  });

  it('opens the chat of one already followed, with SCAN and the bare scene', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const { ticket = '' } = await createQrCode(stage(), 'qrscene_x');

    await lan.scan(ticket);

    expect(oa.deliveries.at(-1)?.fields).toMatchObject({
      Event: 'SCAN',
      EventKey: 'qrscene_x',
      Ticket: ticket,
    });
  });

  it('reads the picture that showqrcode draws', async () => {
    const { wechat, lan } = stage();
    const { ticket = '' } = await createQrCode(stage(), 's');

    const result = await lan.scan(
      `${wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=${encodeURIComponent(ticket)}`,
    );

    expect(result.kind).toBe('chat');
  });

  it('shows the profile first when asked to; following from there carries the scene', async () => {
    const { lan, oa } = stage();
    const { url = '' } = await createQrCode(stage(), 's');

    const result = await lan.scan(url, { follow: false });
    const before = oa.deliveries.length;
    await lan.follow(oa);

    expect(result).toEqual({ kind: 'profile', appid: oa.appid });
    expect(before).toBe(0);
    expect(oa.deliveries[0]?.fields['EventKey']).toBe('qrscene_s');
  });

  it('tells no scene once the code has expired', async () => {
    const { wechat, lan, oa } = stage();
    const { url = '' } = await createQrCode(stage(), 's', 60);
    wechat.clock.advance(61);

    await lan.scan(url);
    const following = await lan.scan(url);

    expect(oa.deliveries.map(({ fields }) => fields['EventKey'])).toEqual(['']);
    expect(following).toEqual({ kind: 'chat', appid: oa.appid });
  });

  it('knows nothing of codes that were never made, and shows other texts as they are', async () => {
    const { lan } = stage();

    expect(await lan.scan('http://weixin.qq.com/q/unknown')).toEqual({ kind: 'expired' });
    expect(await lan.scan('hello')).toEqual({ kind: 'text', text: 'hello' });
  });
});

describe('/cgi-bin/user/info', () => {
  const stage = useStage();

  it('says how a follower came, with the unionid', async () => {
    const { wechat, lan, oa, account } = stage();
    const { url = '' } = await createQrCode(stage(), 'login');
    await lan.scan(url);
    const query = { access_token: await baseToken(stage()), openid: lan.openid(oa), lang: 'zh_CN' };

    const { body } = await callApi(stage(), '/cgi-bin/user/info', query);

    expect(body).toMatchObject({
      subscribe: 1,
      openid: lan.openid(oa),
      unionid: lan.unionid(account),
      nickname: '',
      subscribe_scene: 'ADD_SCENE_QR_CODE',
      qr_scene: 0,
      qr_scene_str: 'login',
    });
    expect(Math.abs(Number(body['subscribe_time']) - wechat.clock.seconds())).toBeLessThanOrEqual(1);
  });

  it('says little of somebody who does not follow', async () => {
    const { wechat, lan, oa, account } = stage();
    const query = { access_token: await baseToken(stage()), openid: lan.openid(oa) };

    const { body: today } = await callApi(stage(), '/cgi-bin/user/info', query);
    wechat.rules.unionidForNonFollowers = true;
    const { body: reported } = await callApi(stage(), '/cgi-bin/user/info', query);

    expect(today).toEqual({ subscribe: 0, openid: lan.openid(oa), tagid_list: [] });
    expect(reported['unionid']).toBe(lan.unionid(account));
  });

  it('refuses openids of other apps and none at all', async () => {
    const { lan, site } = stage();
    const access_token = await baseToken(stage());
    const errcodeOf = async (query: Record<string, string>): Promise<unknown> =>
      (await callApi(stage(), '/cgi-bin/user/info', { access_token, ...query })).body['errcode'];

    expect(await errcodeOf({ openid: lan.openid(site) })).toBe(40003);
    expect(await errcodeOf({})).toBe(41009);
  });

  it('answers for up to a hundred at once, and lists the followers', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const openid = lan.openid(oa);

    const batch = await postApi(stage(), '/cgi-bin/user/info/batchget', { user_list: [{ openid }] });
    const tooMany = await postApi(stage(), '/cgi-bin/user/info/batchget', {
      user_list: Array(101).fill({ openid }),
    });
    const list = await callApi(stage(), '/cgi-bin/user/get', { access_token: await baseToken(stage()) });

    expect(batch['user_info_list']).toMatchObject([{ subscribe: 1, openid }]);
    expect(tooMany['errcode']).toBe(40032);
    expect(list.body).toEqual({ total: 1, count: 1, data: { openid: [openid] }, next_openid: openid });
  });
});
