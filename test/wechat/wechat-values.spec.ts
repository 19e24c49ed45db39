import { authorizeUrl, wxLoginParameters } from '../../src/wechat/authorize-url.js';
import { meaningOf } from '../../src/wechat/errcodes.js';
import { cleanAvatarUrl, cleanNickname } from '../../src/wechat/profile-text.js';
import { acceptFile } from '../../src/wechat/wechat-response.js';

const input = {
  endpoint: 'https://open.weixin.qq.com',
  appid: 'wx0123456789abcdef',
  redirectUri: 'https://app.example.com/iam/callback/wechat?a=b&c=ä d',
  state: 'abcXYZ0123456789',
};

const encoded = 'https%3A%2F%2Fapp.example.com%2Fiam%2Fcallback%2Fwechat%3Fa%3Db%26c%3D%C3%A4%20d';

describe('authorizeUrl of a website app', () => {
  it('has the documented order and fragment', () => {
    expect(authorizeUrl('open', { ...input, scope: 'snsapi_login' })).toBe(
      `https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef&redirect_uri=${encoded}` +
        '&response_type=code&scope=snsapi_login&state=abcXYZ0123456789#wechat_redirect',
    );
  });

  it('may ask for English', () => {
    expect(authorizeUrl('open', { ...input, scope: 'snsapi_login', lang: 'en' })).toMatch(
      /&state=abcXYZ0123456789&lang=en#wechat_redirect$/,
    );
  });
});

describe('authorizeUrl of an Official Account', () => {
  it.each(['snsapi_base', 'snsapi_userinfo'] as const)(
    'has the order that WeChat enforces, for %s',
    (scope) => {
      expect(authorizeUrl('mp', { ...input, scope })).toBe(
        `https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=${encoded}` +
          `&response_type=code&scope=${scope}&state=abcXYZ0123456789#wechat_redirect`,
      );
    },
  );

  it('puts forcePopup before the fragment', () => {
    expect(authorizeUrl('mp', { ...input, scope: 'snsapi_userinfo', forcePopup: true })).toMatch(
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

const exchange = '/sns/oauth2/access_token';

const userinfo = '/sns/userinfo';

const qrcode = '/cgi-bin/qrcode/create';

describe('meaningOf', () => {
  it.each([
    [-1, exchange, 'retry', 'wechat_unavailable'],
    [40029, exchange, 'relogin', 'wechat_code_invalid'],
    [40163, exchange, 'relogin', 'wechat_code_invalid'],
    [41008, exchange, 'relogin', 'wechat_code_invalid'],
    [42003, exchange, 'relogin', 'wechat_code_invalid'],
    [40013, exchange, 'config', 'wechat_credentials_rejected'],
    [40125, exchange, 'config', 'wechat_credentials_rejected'],
    [41002, exchange, 'config', 'wechat_credentials_rejected'],
    [41004, exchange, 'config', 'wechat_credentials_rejected'],
    [40243, '/cgi-bin/stable_token', 'config', 'wechat_credentials_rejected'],
    [40164, '/cgi-bin/stable_token', 'config', 'wechat_ip_not_allowed'],
    [61004, '/cgi-bin/stable_token', 'config', 'wechat_ip_not_allowed'],
    [89503, '/cgi-bin/stable_token', 'config', 'wechat_ip_not_allowed'],
    [40226, '/sns/jscode2session', 'user', 'wechat_user_restricted'],
    [45009, qrcode, 'rate', 'wechat_quota_exceeded'],
    [45011, exchange, 'rate', 'wechat_quota_exceeded'],
    [48001, userinfo, 'config', 'wechat_permission_missing'],
    [50001, userinfo, 'relogin', 'wechat_permission_missing'],
    [50002, userinfo, 'user', 'wechat_user_restricted'],
    [40003, userinfo, 'fail', 'wechat_answer_invalid'],
    [47001, qrcode, 'bug', 'internal_error'],
    [987654, qrcode, 'fail', 'wechat_answer_invalid'],
  ])('of %d at %s is to %s', (errcode, path, action, code) => {
    expect(meaningOf(errcode, path)).toMatchObject({ action, code });
  });

  it.each([40001, 40014, 42001])('of %d depends on the credential the endpoint takes', (errcode) => {
    expect(meaningOf(errcode, exchange)).toMatchObject({
      action: 'config',
      code: 'wechat_credentials_rejected',
    });
    expect(meaningOf(errcode, '/sns/jscode2session')).toMatchObject({ action: 'config' });
    expect(meaningOf(errcode, '/cgi-bin/stable_token')).toMatchObject({ action: 'config' });
    expect(meaningOf(errcode, userinfo)).toMatchObject({ action: 'refresh', code: 'wechat_code_invalid' });
    expect(meaningOf(errcode, qrcode)).toMatchObject({
      action: 'token',
      code: 'wechat_credentials_rejected',
    });
  });
});

describe('the name of a file that WeChat answers with', () => {
  it.each([
    ['attachment; filename="../../etc/a.png"', 'a.png'],
    ['attachment; filename="C:\\temp\\b.png"', 'b.png'],
    ['attachment; filename=c.png; size=3', 'c.png'],
    [`attachment; filename="${Buffer.from('图.png').toString('latin1')}"`, '图.png'],
    [`attachment; filename="${Buffer.from('a\u0000\u202e.png').toString('latin1')}"`, 'a.png'],
    ['attachment; filename=".."', null],
    ['attachment; filename=""', null],
    ['attachment', null],
    [undefined, null],
  ])('is of %j the last part alone', (disposition, expected) => {
    const answer = { body: Buffer.from('x'), contentType: 'audio/amr', disposition };

    expect(acceptFile('/cgi-bin/media/get', answer).fileName).toBe(expected);
  });

  it.each([
    ['text/plain', 'ffd8ffe0', 'image/jpeg'],
    ['Audio/AMR; x=y', '2321', 'audio/amr'],
    ['nonsense', '2321', 'application/octet-stream'],
    [undefined, '2321', 'application/octet-stream'],
  ])('has a type by the bytes, else by the header: %s', (contentType, bytes, expected) => {
    const answer = { body: Buffer.from(bytes, 'hex'), contentType, disposition: undefined };

    expect(acceptFile('/cgi-bin/media/get', answer).contentType).toBe(expected);
  });
});

describe('cleanNickname', () => {
  it.each([
    ['小兰', '小兰'],
    ['👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇨🇳', '👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇨🇳'],
    ['<b>&"\'', '<b>&"\''],
    ['=cmd()', '=cmd()'],
    ['a\u0000b\r\nc\td', 'abcd'],
    ['a\u202eb\u2066c\u2069d\u200fe\u200ef\u2028g\u2029h', 'abcdefgh'],
    ['a\ud83db\udc00c', 'abc'],
    ['  spaced  ', 'spaced'],
    ['微信用户', '微信用户'],
  ])('makes %j into %j', (nickname, expected) => {
    expect(cleanNickname(nickname)).toBe(expected);
  });

  it.each(['', '   ', '\u0000\u202e', '\u200b', null, undefined, 42, ['a'], { a: 1 }])(
    'finds nothing in %j',
    (nickname) => {
      expect(cleanNickname(nickname)).toBeNull();
    },
  );

  it('keeps 64 visible characters of a long one', () => {
    expect(cleanNickname('兰'.repeat(100))).toBe('兰'.repeat(64));
    expect(cleanNickname('👍🏽'.repeat(100))).toBe('👍🏽'.repeat(64));
  });

  it('takes 1 MB of anything in a moment', () => {
    const startedAt = performance.now();

    expect(cleanNickname('x'.repeat(1_000_000))).toBe('x'.repeat(64));
    expect((cleanNickname('👨‍👩‍👧‍👦'.repeat(100_000)) ?? '').length).toBeLessThanOrEqual(512);
    expect((cleanNickname(`a${'\u0301'.repeat(1_000_000)}`) ?? '').length).toBeLessThanOrEqual(512);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe('cleanAvatarUrl', () => {
  it.each([
    ['https://thirdwx.qlogo.cn/mmopen/vi_32/x/132', 'https://thirdwx.qlogo.cn/mmopen/vi_32/x/132'],
    ['http://wx.qlogo.cn/mmopen/x/0', 'https://wx.qlogo.cn/mmopen/x/0'],
    ['https://cdn.example.com/a.png', 'https://cdn.example.com/a.png'],
  ])('takes %s', (url, expected) => {
    expect(cleanAvatarUrl(url)).toBe(expected);
  });

  it.each([
    '',
    'javascript:alert(1)',
    'data:image/svg+xml,<svg/>',
    'file:///etc/passwd',
    'http://10.0.0.1/a.png',
    'http://example.com/a.png',
    'http://evilqlogo.cn/a.png',
    'http://wx.qlogo.cn:8080/a.png',
    'https://user:pass@wx.qlogo.cn/a.png',
    '//wx.qlogo.cn/a.png',
    `https://wx.qlogo.cn/${'x'.repeat(1024)}`,
    `https://wx.qlogo.cn/${'兰'.repeat(400)}`,
    null,
    42,
    ['https://wx.qlogo.cn/a.png'],
  ])('refuses %j', (url) => {
    expect(cleanAvatarUrl(url)).toBeNull();
  });
});
