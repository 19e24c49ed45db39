import { baseToken, callApi, exchange, textLike, useStage } from './support/stage.js';

describe('a mini program', () => {
  const stage = useStage();

  it('turns a js_code into openid, unionid and a session key of sixteen bytes', async () => {
    const { account, lan } = stage();
    const mini = account.miniProgram();
    const query = {
      appid: mini.appid,
      secret: mini.secret,
      js_code: lan.wxLogin(mini),
      grant_type: 'authorization_code',
    };

    const { response, body } = await callApi(stage(), '/sns/jscode2session', query);
    const again = await callApi(stage(), '/sns/jscode2session', query);

    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(body).toEqual({
      session_key: textLike(/^[A-Za-z0-9+/]{22}==$/),
      openid: lan.openid(mini),
      unionid: lan.unionid(account),
    });
    expect(again.body['errcode']).toBe(40163);
  });

  it('gives no unionid when bound to no Open Platform account', async () => {
    const { wechat, lan } = stage();
    const mini = wechat.miniProgram();
    const query = {
      appid: mini.appid,
      secret: mini.secret,
      js_code: lan.wxLogin(mini),
      grant_type: 'authorization_code',
    };

    expect((await callApi(stage(), '/sns/jscode2session', query)).body).not.toHaveProperty('unionid');
  });

  it('misses and doubts parameters in WeChat’s order, and codes after five minutes', async () => {
    const { wechat, account, lan } = stage();
    const mini = account.miniProgram();
    const good = {
      appid: mini.appid,
      secret: mini.secret,
      js_code: lan.wxLogin(mini),
      grant_type: 'authorization_code',
    };
    const errcodeOf = async (query: Record<string, string>): Promise<unknown> =>
      (await callApi(stage(), '/sns/jscode2session', query)).body['errcode'];

    expect(await errcodeOf({ ...good, appid: '' })).toBe(41002);
    expect(await errcodeOf({ ...good, secret: '' })).toBe(41004);
    expect(await errcodeOf({ ...good, js_code: '' })).toBe(41008);
    expect(await errcodeOf({ ...good, grant_type: '' })).toBe(40002);
    expect(await errcodeOf({ ...good, secret: 'x' })).toBe(40125);
    wechat.clock.advance(301);
    expect(await errcodeOf(good)).toBe(40029);
  });

  it('learns a phone number from the button’s code, once, and checks whose it is', async () => {
    const { account, lan } = stage();
    const mini = account.miniProgram();
    lan.changeProfile({ phoneNumber: '13800138000' });
    const token = await baseToken({ wechat: stage().wechat, oa: mini });
    const ask = async (body: object): Promise<Record<string, unknown>> =>
      (
        await callApi(
          stage(),
          '/wxa/business/getuserphonenumber',
          { access_token: token },
          { method: 'POST', body: JSON.stringify(body) },
        )
      ).body;
    const code = lan.phoneNumberCode(mini);

    const answer = await ask({ code });

    expect(answer).toMatchObject({
      errcode: 0,
      phone_info: {
        phoneNumber: '13800138000',
        purePhoneNumber: '13800138000',
        countryCode: '86',
        watermark: { appid: mini.appid },
      },
    });
    expect((await ask({ code }))['errcode']).toBe(40163);
    expect((await ask({ code: lan.wxLogin(mini) }))['errcode']).toBe(40029);
    expect((await ask({ code: lan.phoneNumberCode(mini), openid: 'oX' }))['errcode']).toBe(40003);
  });
});

describe('a mobile app', () => {
  const stage = useStage();

  it('exchanges the code of SendAuth with its own secret, within ten minutes', async () => {
    const { wechat, account, lan, site } = stage();
    const mobile = account.mobileApp();
    const code = lan.sendAuth(mobile);
    const late = lan.sendAuth(mobile);

    expect((await exchange(stage(), site, code))['errcode']).toBe(40029);
    expect(await exchange(stage(), mobile, code)).toMatchObject({
      openid: lan.openid(mobile),
      unionid: lan.unionid(account),
      scope: 'snsapi_userinfo',
    });
    wechat.clock.advance(601);
    expect((await exchange(stage(), mobile, late))['errcode']).toBe(40029);
  });

  it('has no base access token', async () => {
    const { account } = stage();
    const mobile = account.mobileApp();
    const query = { grant_type: 'client_credential', appid: mobile.appid, secret: mobile.secret };

    expect((await callApi(stage(), '/cgi-bin/token', query)).body['errcode']).toBe(48001);
  });
});
