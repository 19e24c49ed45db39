import { createDecipheriv } from 'node:crypto';
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
    expect((await ask({ code }))['errcode']).toBe(40163);
    expect((await ask({ code: lan.wxLogin(mini) }))['errcode']).toBe(40029);
    expect((await ask({ code: lan.phoneNumberCode(mini), openid: 'oX' }))['errcode']).toBe(40003);
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
