import { mpAuthorizeUrl, openAuthorizeUrl, wxLoginParameters } from '../../src/wechat/authorize-url.js';

const input = {
  endpoint: 'https://open.weixin.qq.com',
  appid: 'wx0123456789abcdef',
  redirectUri: 'https://app.example.com/iam/callback/wechat?a=b&c=ä d',
  state: 'abcXYZ0123456789',
};
const encoded = 'https%3A%2F%2Fapp.example.com%2Fiam%2Fcallback%2Fwechat%3Fa%3Db%26c%3D%C3%A4%20d';

describe('openAuthorizeUrl', () => {
  it('has the documented order and fragment', () => {
    expect(openAuthorizeUrl(input)).toBe(
      `https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef&redirect_uri=${encoded}` +
        '&response_type=code&scope=snsapi_login&state=abcXYZ0123456789#wechat_redirect',
    );
  });

  it('may ask for English', () => {
    expect(openAuthorizeUrl({ ...input, lang: 'en' })).toMatch(
      /&state=abcXYZ0123456789&lang=en#wechat_redirect$/,
    );
  });
});

describe('mpAuthorizeUrl', () => {
  it.each(['snsapi_base', 'snsapi_userinfo'] as const)(
    'has the order that WeChat enforces, for %s',
    (scope) => {
      expect(mpAuthorizeUrl({ ...input, scope })).toBe(
        `https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=${encoded}` +
          `&response_type=code&scope=${scope}&state=abcXYZ0123456789#wechat_redirect`,
      );
    },
  );

  it('puts forcePopup before the fragment', () => {
    expect(mpAuthorizeUrl({ ...input, scope: 'snsapi_userinfo', forcePopup: true })).toMatch(
      /&state=abcXYZ0123456789&forcePopup=true#wechat_redirect$/,
    );
  });
});

describe('wxLoginParameters', () => {
  it('encodes what wxLogin.js concatenates raw', () => {
    expect(wxLoginParameters(input)).toEqual({
      appid: 'wx0123456789abcdef',
      scope: 'snsapi_login',
      redirect_uri: encoded,
      state: 'abcXYZ0123456789',
    });
  });
});
