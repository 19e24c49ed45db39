import { createDecipheriv, createHmac } from 'node:crypto';
import { encryptData, signRawData } from '../../emulator/mini/encrypted-data.js';
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
    expect(code).toMatch(/^[0-9a-f]{64}$/);
    expect((await ask({ code }))['errcode']).toBe(40029);
    expect((await ask({ code: lan.wxLogin(mini) }))['errcode']).toBe(40029);
    const late = lan.phoneNumberCode(mini);
    stage().wechat.clock.advance(301);
    expect((await ask({ code: late }))['errcode']).toBe(40029);
  });

  it('says as the rules have it whose a phone number’s code is not, and how a country is written', async () => {
    const { account, lan, wechat } = stage();
    const [mini, other] = [account.miniProgram(), account.miniProgram()];
    lan.changeProfile({ phoneNumber: '91234567', countryCode: '852' });
    const token = await baseToken({ wechat, oa: mini });
    const ask = async (body: object): Promise<Record<string, unknown>> =>
      (
        await callApi(
          stage(),
          '/wxa/business/getuserphonenumber',
          { access_token: token },
          { method: 'POST', body: JSON.stringify(body) },
        )
      ).body;
    const ofAnother = async () => [
      (await ask({ code: lan.phoneNumberCode(mini), openid: 'oX' }))['errcode'],
      (await ask({ code: lan.phoneNumberCode(other) }))['errcode'],
    ];

    const usual = await ofAnother();
    Object.assign(wechat.rules, {
      phoneCodeOfAnother: 40003,
      phoneCodeOfAnotherApp: 40013,
      phoneCountryCode: 'number',
    });
    const documented = await ofAnother();
    const { phone_info } = await ask({ code: lan.phoneNumberCode(mini), openid: lan.openid(mini) });

    expect([usual, documented]).toEqual([
      [40029, 40029],
      [40003, 40013],
    ]);
    expect(phone_info).toMatchObject({
      phoneNumber: '+85291234567',
      purePhoneNumber: '91234567',
      countryCode: 852,
    });
  });

  it('runs out of phone numbers on the phone, where no server learns of it', () => {
    const { account, lan, wechat } = stage();
    const mini = account.miniProgram();
    wechat.rules.phoneNumbersPerApp = 1;
    lan.phoneNumberCode(mini);

    expect(() => lan.phoneNumberCode(mini)).toThrow('1400001');
  });
});

describe('data that a mini program’s client encrypts', () => {
  const stage = useStage();

  it('matches vector D4 of the protocol reference', () => {
    const plain =
      '{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"微信用户","gender":0,"language":"zh_CN","city":"","province":"","country":"","avatarUrl":"","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}';

    expect(encryptData(plain, 'ABEiM0RVZneImaq7zN3u/w==', 'Dw4NDAsKCQgHBgUEAwIBAA==')).toBe(
      'hJpscKwdk5C+8M4/fRzS8D/KalF5RwqKl9mn8WNziyY5d+ilYRPvZpDhRV4z/ohJUlzKy6pKe1WpDUrQFQ9ID0VBZO+SjJbCYALjFhJ60q0wnsUBWfZqJDKuoVegWvHDfO8IyuWLvCcbNWNloqnXjS/aEp02SsU1HNIgsH/PCvbauvqQHEC3bSvMVER92ENPCGI7n+laoWdRRuWWxRf2Exe1ZVRjtHwcx0rlqmsXJmuN3oRlYFzXK/dnCOzpmkkN4sSDBujK8AxiPMrC3NSPOP/FDSEWEbp3cCeMaJ3hPhonkgKWCqHrlEjUktuQWcOcgDCXfxwiWbxFPJDoW/rCXUgSbTXB8SRDRRnQJBf34CI=',
    );
  });

  it('is signed as in WeChat’s own sample', () => {
    const rawData =
      '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}';

    expect(signRawData(rawData, 'HyVFkGl5F5OQWJZZaNzBBg==')).toBe('75e81ceda165f4ffa64f4068af58c64b8f54b88c');
  });

  it('opens with the session key of the last login', async () => {
    const { account, lan } = stage();
    const mini = account.miniProgram();
    const query = {
      appid: mini.appid,
      secret: mini.secret,
      js_code: lan.wxLogin(mini),
      grant_type: 'authorization_code',
    };
    const { body } = await callApi(stage(), '/sns/jscode2session', query);
    const key = Buffer.from(String(body['session_key']), 'base64');

    const { encryptedData, iv } = lan.encryptedProfile(mini);
    const decipher = createDecipheriv('aes-128-cbc', key, Buffer.from(iv, 'base64'));
    const opened: unknown = JSON.parse(
      decipher.update(encryptedData, 'base64', 'utf8') + decipher.final('utf8'),
    );

    expect(opened).toMatchObject({
      openId: lan.openid(mini),
      unionId: lan.unionid(account),
      nickName: '小兰',
      watermark: { appid: mini.appid },
    });
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

describe('checksession', () => {
  const stage = useStage();

  it('knows the key of the last login only, and resets it', async () => {
    const { wechat, account, lan } = stage();
    const mini = account.miniProgram();
    const exchange = async (): Promise<Record<string, unknown>> => {
      const query = {
        appid: mini.appid,
        secret: mini.secret,
        js_code: lan.wxLogin(mini),
        grant_type: 'authorization_code',
      };
      return (await callApi(stage(), '/sns/jscode2session', query)).body;
    };
    const access_token = await baseToken({ wechat, oa: mini });
    const check = async (path: string, key: unknown): Promise<Record<string, unknown>> => {
      const signature = createHmac('sha256', String(key)).update('').digest('hex').toUpperCase();
      const query = { access_token, openid: lan.openid(mini), signature, sig_method: 'hmac_sha256' };
      return (await callApi(stage(), path, query)).body;
    };

    const { session_key: old } = await exchange();
    const { session_key: current } = await exchange();
    const reset = await check('/wxa/resetusersessionkey', current);

    expect(await check('/wxa/checksession', old)).toMatchObject({ errcode: 87009 });
    expect(reset).toMatchObject({ errcode: 0, openid: lan.openid(mini), session_key: textLike(/==$/) });
    expect(await check('/wxa/checksession', current)).toMatchObject({ errcode: 87009 });
    expect(await check('/wxa/checksession', reset['session_key'])).toMatchObject({ errcode: 0 });
  });

  it('computes the signature of the documented vector', () => {
    expect(createHmac('sha256', 'ABEiM0RVZneImaq7zN3u/w==').update('').digest('hex')).toBe(
      'cb4ddd2bfeb25111be82a9e5d42e49c7da1f2ecb281cb3f8c188dbb12d9c0798',
    );
  });
});

describe('what a person takes back', () => {
  const stage = useStage();

  it('is told to the app with the person in OpenID and the platform in FromUserName', async () => {
    const { wechat, lan, oa, account } = stage();
    lan.wxLogin(account.miniProgram());
    const earliest = wechat.clock.seconds();

    const delivery = await lan.revokeAuthorization(oa);

    expect(delivery.fields).toEqual({
      ToUserName: oa.originalId,
      FromUserName: delivery.fields['FromUserName'],
      CreateTime: expect.any(Number) as number,
      MsgType: 'event',
      Event: 'user_authorization_revoke',
      OpenID: lan.openid(oa),
      UnionID: lan.unionid(account),
      AppID: oa.appid,
      RevokeInfo: '205',
    });
    expect(delivery.fields['CreateTime']).toBeGreaterThanOrEqual(earliest);
    expect(delivery.fields['CreateTime']).toBeLessThanOrEqual(wechat.clock.seconds());
    expect(delivery.fields['FromUserName']).not.toBe(lan.openid(oa));
  });

  it('says what in the numbers of each kind of app', async () => {
    const { lan, site, account, oa } = stage();
    const infoOf = async (
      app: Parameters<typeof lan.revokeAuthorization>[0],
      info?: string,
    ): Promise<unknown> => (await lan.revokeAuthorization(app, info)).fields['RevokeInfo'];

    expect(await infoOf(site)).toBe('301');
    expect(await infoOf(account.mobileApp())).toBe('301');
    expect(await infoOf(account.miniProgram(), '8')).toBe('8');
    expect(await infoOf(oa, '206')).toBe('206');
  });

  it('goes to every app that knows the person when the WeChat account is closed', async () => {
    const { lan, oa, account, app } = stage();
    await lan.follow(oa);
    const mini = account.miniProgram({ serverUrl: `${app.origin}/mini` });
    lan.wxLogin(mini);
    const stranger = account.officialAccount({ oauthDomain: 'localhost' });

    const deliveries = await lan.closeAccount();

    expect(deliveries.map(({ appid }) => appid).sort()).toEqual([oa.appid, mini.appid].sort());
    expect(deliveries.every(({ fields }) => fields['Event'] === 'user_authorization_cancellation')).toBe(
      true,
    );
    expect(stranger.deliveries).toHaveLength(0);
    expect(app.heard.filter(({ url }) => url.pathname === '/mini')).toHaveLength(1);
  });

  it('goes to apps authorized in the last thirty days when the platform removes a profile', async () => {
    const { wechat, lan, account } = stage();
    const old = account.mobileApp();
    lan.sendAuth(old);
    wechat.clock.advance(31 * 86_400);
    const recent = account.mobileApp();
    lan.sendAuth(recent);

    const deliveries = await lan.loseProfile();

    expect(deliveries.map(({ appid, fields }) => [appid, fields['Event']])).toEqual([
      [recent.appid, 'user_info_modified'],
    ]);
    expect(lan.nickname).toBe('微信用户');
  });
});
