import { meaningOf } from '../../src/wechat/errcodes.js';

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
