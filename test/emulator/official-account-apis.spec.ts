import { until } from '../support/until.js';
import { baseToken, callApi, postApi, type Stage, textLike, useStage } from './support/stage.js';

const path = '/cgi-bin/message/custom/send';

describe('/cgi-bin/message/custom/send', () => {
  const stage = useStage();
  const text = (touser: string, content = 'hello'): object => ({
    touser,
    msgtype: 'text',
    text: { content },
  });

  it('reaches the chat with its links while the person has written within 48 hours, five times', async () => {
    const { wechat, lan, oa } = stage();
    await lan.follow(oa);
    await lan.say(oa, 'hi');
    const send = async (content?: string): Promise<unknown> =>
      (await postApi(stage(), path, text(lan.openid(oa), content)))['errcode'];

    const answers = [await send('<a href="https://app.example/">open</a>')];
    for (let i = 0; i < 5; i++) answers.push(await send());

    expect(answers).toEqual([0, 0, 0, 0, 0, 45047]);
    expect(lan.chat(oa)[1]).toMatchObject({ from: 'account', links: ['https://app.example/'] });
    await lan.say(oa, 'again');
    wechat.clock.advance(48 * 3600);
    expect(await send()).toBe(45015);
  });

  it('is allowed three times in the minute after a follow', async () => {
    const { wechat, lan, oa } = stage();
    await lan.follow(oa);
    const send = async (): Promise<unknown> =>
      (await postApi(stage(), path, text(lan.openid(oa))))['errcode'];

    expect([await send(), await send(), await send(), await send()]).toEqual([0, 0, 0, 45047]);
    await lan.tapMenu(oa, 'HELP');
    wechat.clock.advance(61);
    expect(await send()).toBe(45015);
  });

  it('is over once the person has left', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    await lan.unfollow(oa);

    expect((await postApi(stage(), path, text(lan.openid(oa))))['errcode']).toBe(45015);
  });

  it('refuses strangers, empty texts and unknown types', async () => {
    const { lan, oa } = stage();
    const touser = lan.openid(oa);
    const errcodeOf = async (body: object): Promise<unknown> =>
      (await postApi(stage(), path, body))['errcode'];

    expect(await errcodeOf(text('oX'))).toBe(40003);
    expect(await errcodeOf(text(touser, ''))).toBe(44004);
    expect(await errcodeOf({ touser, msgtype: 'poem' })).toBe(40008);
  });

  it('sends cards', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const news = { articles: [{ title: 'T', description: '', url: 'https://app.example/', picurl: '' }] };

    await postApi(stage(), path, { touser: lan.openid(oa), msgtype: 'news', news });

    expect(lan.chat(oa)).toMatchObject([{ type: 'news', text: 'T', links: ['https://app.example/'] }]);
  });
});

describe('what the software of an operator calls besides signing people in', () => {
  const stage = useStage();

  it('gets the same JS-SDK ticket until it ends', async () => {
    const { wechat } = stage();
    const ticket = async (type: string): Promise<Record<string, unknown>> => {
      const query = { access_token: await baseToken(stage()), type };
      return (await callApi(stage(), '/cgi-bin/ticket/getticket', query)).body;
    };

    const first = await ticket('jsapi');
    wechat.clock.advance(3600);
    const second = await ticket('jsapi');
    wechat.clock.advance(3601);

    expect(first).toMatchObject({ errcode: 0, ticket: textLike(/^\w{86}$/), expires_in: 7200 });
    expect(second).toMatchObject({ ticket: first['ticket'], expires_in: 3600 });
    expect((await ticket('jsapi'))['ticket']).not.toBe(first['ticket']);
    expect(await ticket('nonsense')).toMatchObject({ errcode: 40097 });
  });

  it('keeps a menu', async () => {
    const menu = { button: [{ type: 'click', name: '今日', key: 'TODAY' }] };

    expect(await postApi(stage(), '/cgi-bin/menu/get', {})).toMatchObject({ errcode: 46003 });
    expect(await postApi(stage(), '/cgi-bin/menu/create', menu)).toMatchObject({ errcode: 0 });
    expect(await postApi(stage(), '/cgi-bin/menu/get', {})).toEqual({ menu });
    expect(await postApi(stage(), '/cgi-bin/menu/create', { button: [] })).toMatchObject({ errcode: 40016 });
    expect(await postApi(stage(), '/cgi-bin/menu/delete', {})).toMatchObject({ errcode: 0 });
    expect(await postApi(stage(), '/cgi-bin/get_current_selfmenu_info', {})).toEqual({ is_menu_open: 0 });
  });

  it('labels followers and shows the labels with them', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const openid = lan.openid(oa);

    const { tag } = await postApi(stage(), '/cgi-bin/tags/create', { tag: { name: '会员' } });
    await postApi(stage(), '/cgi-bin/tags/members/batchtagging', { openid_list: [openid], tagid: 100 });
    await postApi(stage(), '/cgi-bin/user/info/updateremark', { openid, remark: '老客户' });
    const query = { access_token: await baseToken(stage()), openid };

    expect(tag).toEqual({ id: 100, name: '会员' });
    expect((await callApi(stage(), '/cgi-bin/user/info', query)).body).toMatchObject({
      tagid_list: [100],
      remark: '老客户',
    });
    expect(await postApi(stage(), '/cgi-bin/user/tag/get', { tagid: 100 })).toMatchObject({
      data: { openid: [openid] },
    });
    expect(await postApi(stage(), '/cgi-bin/tags/create', { tag: { name: '会员' } })).toMatchObject({
      errcode: 45157,
    });
    expect(
      await postApi(stage(), '/cgi-bin/tags/members/batchuntagging', { openid_list: ['oX'], tagid: 100 }),
    ).toMatchObject({ errcode: 40003 });
  });

  it('sends a template message to a follower, shows it, and says later what became of it', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    const message = {
      touser: lan.openid(oa),
      template_id: 'T1',
      url: 'https://shop.example/o/1',
      data: { first: { value: '已发货' } },
    };
    expect(await postApi(stage(), '/cgi-bin/message/template/send', message)).toMatchObject({
      errcode: 43004,
    });
    await lan.follow(oa);

    const sent = await postApi(stage(), '/cgi-bin/message/template/send', message);
    await until('the event arrives', () => app.last?.body.includes('TEMPLATESENDJOBFINISH') === true);

    expect(sent).toEqual({ errcode: 0, errmsg: 'ok', msgid: expect.any(Number) as unknown });
    expect(app.last?.body).toContain(`<MsgID>${String(sent['msgid'])}</MsgID>`);
    expect(lan.chat(oa)).toContainEqual(
      expect.objectContaining({ type: 'template', text: '已发货', links: ['https://shop.example/o/1'] }),
    );
    expect(
      await postApi(stage(), '/cgi-bin/message/template/send', { ...message, template_id: '' }),
    ).toMatchObject({ errcode: 40037 });
    expect(await postApi(stage(), '/cgi-bin/message/template/send', { ...message, data: 'x' })).toMatchObject(
      { errcode: 47003 },
    );
  });

  it('gives an uploaded picture back as it came', async () => {
    const { wechat } = stage();
    const bytes = Uint8Array.from([0xff, 0xd8, 13, 10, 13, 10, 45, 45, 0, 255]);
    const form = new FormData();
    form.set('media', new Blob([bytes], { type: 'image/jpeg' }), 'logo.jpg');
    const token = await baseToken(stage());
    const upload = await callApi(
      stage(),
      '/cgi-bin/material/add_material',
      { access_token: token, type: 'image' },
      { method: 'POST', body: form },
    );
    const media_id = upload.body['media_id'];

    const file = await fetch(`${wechat.endpoints.api}/cgi-bin/material/get_material?access_token=${token}`, {
      method: 'POST',
      body: JSON.stringify({ media_id }),
    });

    expect(file.headers.get('content-type')).toBe('image/jpeg');
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
    expect(
      await postApi(stage(), '/cgi-bin/material/batchget_material', { type: 'image', offset: 0, count: 20 }),
    ).toMatchObject({ total_count: 1, item: [{ media_id, name: 'logo.jpg' }] });
    expect(await postApi(stage(), '/cgi-bin/material/del_material', { media_id })).toMatchObject({
      errcode: 0,
    });
    expect(await postApi(stage(), '/cgi-bin/material/del_material', { media_id })).toMatchObject({
      errcode: 40007,
    });
  });
});

async function classic({ wechat, oa }: Stage): Promise<Record<string, unknown>> {
  const query = { grant_type: 'client_credential', appid: oa.appid, secret: oa.secret };
  return (await callApi({ wechat }, '/cgi-bin/token', query)).body;
}

async function stable(
  { wechat, oa }: Stage,
  more: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const body = { grant_type: 'client_credential', appid: oa.appid, secret: oa.secret, ...more };
  const init = { method: 'POST', body: JSON.stringify(body) };
  return (await callApi({ wechat }, '/cgi-bin/stable_token', {}, init)).body;
}

/** What an API makes of a token: an errcode, or undefined when it works. */
async function verdict(stage: Stage, token: unknown): Promise<unknown> {
  return (await callApi(stage, '/cgi-bin/getcallbackip', { access_token: String(token) })).body['errcode'];
}

describe('/cgi-bin/token', () => {
  const stage = useStage();

  it('mints a new token each time, and the one before lives for five more minutes', async () => {
    const { wechat } = stage();
    const first = await classic(stage());
    const second = await classic(stage());

    expect(first).toEqual({ access_token: textLike(/^88_/), expires_in: 7200 });
    expect(second['access_token']).not.toBe(first['access_token']);
    expect(await verdict(stage(), first['access_token'])).toBeUndefined();
    wechat.clock.advance(301);
    expect(await verdict(stage(), first['access_token'])).toBe(40001);
    expect(await verdict(stage(), second['access_token'])).toBeUndefined();
  });

  it('gives tokens that expire after two hours', async () => {
    const { wechat } = stage();
    const { access_token: token } = await classic(stage());

    wechat.clock.advance(7200);

    expect(await verdict(stage(), token)).toBe(42001);
  });

  it('has a daily limit', async () => {
    const { wechat } = stage();
    wechat.rules.tokensPerDay = 1;
    await classic(stage());

    const over = await classic(stage());
    wechat.clock.advance(86_400);
    const tomorrow = await classic(stage());

    expect(over['errcode']).toBe(45009);
    expect(tomorrow['errcode']).toBeUndefined();
  });
});

describe('/cgi-bin/stable_token', () => {
  const stage = useStage();

  it('returns the same token with what is left of it', async () => {
    const { wechat } = stage();
    const first = await stable(stage());
    wechat.clock.advance(1000);
    const second = await stable(stage());

    expect(first['expires_in']).toBe(7200);
    expect(second['access_token']).toBe(first['access_token']);
    expect(second['expires_in']).toBeGreaterThanOrEqual(6199);
    expect(second['expires_in']).toBeLessThanOrEqual(6200);
  });

  it('rotates in the last five minutes, in which both tokens work', async () => {
    const { wechat } = stage();
    const first = await stable(stage());
    wechat.clock.advance(7200 - 299);
    const second = await stable(stage());

    expect(second['access_token']).not.toBe(first['access_token']);
    expect(second['expires_in']).toBe(7200);
    expect(await verdict(stage(), first['access_token'])).toBeUndefined();
    wechat.clock.advance(300);
    expect(await verdict(stage(), first['access_token'])).toBe(42001);
    expect(await verdict(stage(), second['access_token'])).toBeUndefined();
  });

  it('kills the old token at once when forced, and ignores force within thirty seconds', async () => {
    const { wechat } = stage();
    const first = await stable(stage());
    const forced = await stable(stage(), { force_refresh: true });
    const tooSoon = await stable(stage(), { force_refresh: true });
    wechat.clock.advance(31);
    const later = await stable(stage(), { force_refresh: true });

    expect(await verdict(stage(), first['access_token'])).toBe(40001);
    expect(tooSoon['access_token']).toBe(forced['access_token']);
    expect(later['access_token']).not.toBe(forced['access_token']);
    expect(await verdict(stage(), forced['access_token'])).toBe(40001);
  });

  it('can be forced twenty times a day', async () => {
    const { wechat } = stage();
    wechat.clock.set(Date.UTC(2030, 0, 1, 4));
    const answers = [];
    for (let i = 0; i < 21; i++) {
      answers.push(await stable(stage(), { force_refresh: true }));
      wechat.clock.advance(31);
    }

    expect(answers.slice(0, 20).every((answer) => 'access_token' in answer)).toBe(true);
    expect(answers[20]?.['errcode']).toBe(45009);
  });

  it('lives apart from the classic token', async () => {
    const { wechat } = stage();
    const mine = await stable(stage());
    const theirs = await classic(stage());
    await stable(stage(), { force_refresh: true });
    wechat.clock.advance(301);

    expect(await verdict(stage(), theirs['access_token'])).toBeUndefined();
    expect(await verdict(stage(), mine['access_token'])).toBe(40001);
  });

  it('wants a POST with JSON', async () => {
    const { oa } = stage();
    const query = { grant_type: 'client_credential', appid: oa.appid, secret: oa.secret };
    const errcodeOf = async (init: RequestInit): Promise<unknown> =>
      (await callApi(stage(), '/cgi-bin/stable_token', query, init)).body['errcode'];

    expect(await errcodeOf({})).toBe(43002);
    expect(await errcodeOf({ method: 'POST' })).toBe(44002);
    expect(await errcodeOf({ method: 'POST', body: 'grant_type=client_credential' })).toBe(47001);
  });
});

describe('both token endpoints', () => {
  const stage = useStage();

  it('doubt what they are given in WeChat’s order', async () => {
    const errcodeOf = async (change: Record<string, unknown>): Promise<unknown> =>
      (await stable(stage(), change))['errcode'];

    expect(await errcodeOf({ appid: '' })).toBe(41002);
    expect(await errcodeOf({ secret: undefined })).toBe(41004);
    expect(await errcodeOf({ grant_type: 'x' })).toBe(40002);
    expect(await errcodeOf({ appid: 'wx0' })).toBe(40013);
    expect(await errcodeOf({ secret: 'wrong' })).toBe(40125);
  });

  it('refuse addresses that are not on the whitelist and print them', async () => {
    const { wechat, oa } = stage();
    oa.settings.ipWhitelist = ['10.0.0.0/8', '192.168.1.7'];
    const refused = await stable(stage());
    wechat.rules.ipNotAllowed = 61004;
    const newer = await classic(stage());
    oa.settings.ipWhitelist = ['127.0.0.0/8'];
    const allowed = await classic(stage());

    expect(refused).toEqual({
      errcode: 40164,
      errmsg: textLike(
        /^invalid ip 127\.0\.0\.1 ipv6 ::ffff:127\.0\.0\.1, not in whitelist rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/,
      ),
    });
    expect(newer['errcode']).toBe(61004);
    expect(allowed).toHaveProperty('access_token');
  });

  it('answer as application/json with an encoding, with HTTP 200 for errors too', async () => {
    const { response, body } = await callApi(stage(), '/cgi-bin/token', { grant_type: 'x' });

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; encoding=utf-8');
    expect(body['errmsg']).toMatch(/^appid missing rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/);
  });
});

describe('a base access token', () => {
  const stage = useStage();

  it('opens the platform’s address lists and nothing without it', async () => {
    const { access_token: token } = await stable(stage());
    const query = { access_token: String(token) };

    expect((await callApi(stage(), '/cgi-bin/get_api_domain_ip', query)).body).toEqual({
      ip_list: ['127.0.0.1'],
    });
    expect((await callApi(stage(), '/cgi-bin/getcallbackip', query)).body).toEqual({
      ip_list: ['127.0.0.1'],
    });
    expect((await callApi(stage(), '/cgi-bin/getcallbackip', {})).body['errcode']).toBe(41001);
    expect(await verdict(stage(), 'made-up')).toBe(40001);
  });

  it('resets quotas ten times a month', async () => {
    const { wechat, oa } = stage();
    wechat.clock.set(Date.UTC(2030, 0, 15));
    const { access_token: token } = await stable(stage());
    const clear = async (appid: string): Promise<unknown> => {
      const init = { method: 'POST', body: JSON.stringify({ appid }) };
      return (await callApi(stage(), '/cgi-bin/clear_quota', { access_token: String(token) }, init)).body[
        'errcode'
      ];
    };
    wechat.rules.tokensPerDay = 1;
    await classic(stage());

    const foreign = await clear('wx0');
    const cleared = await clear(oa.appid);
    const again = await classic(stage());
    for (let i = 0; i < 9; i++) await clear(oa.appid);

    expect([foreign, cleared]).toEqual([40013, 0]);
    expect(again).toHaveProperty('access_token');
    expect(await clear(oa.appid)).toBe(48006);
  });
});
