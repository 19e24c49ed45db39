import { callApi, textLike, useStage, type Stage } from './support/stage.js';

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
