import { readAuthorizationCode } from '../../../src/wechat/authorize-url.js';
import { Secret } from '../../../src/crypto/secret.js';
import { WechatOAuth2Client, readCallback } from '../../../src/wechat/strategies/callback.js';

describe('readCallback', () => {
  it.each<[string, object, object]>([
    ['no parameters', {}, { kind: 'start' }],
    ['an empty query', { query: {}, body: {} }, { kind: 'start' }],
    ['a query that is none', { query: null, body: 'code=c' }, { kind: 'start' }],
    [
      'parameters that are inherited',
      { query: Object.setPrototypeOf({}, { code: 'c', state: 's' }) as object },
      { kind: 'start' },
    ],
    ['other parameters', { query: { page: '1' } }, { kind: 'start' }],
    ['a code and a state', { query: { code: 'c', state: 's' } }, { kind: 'code' }],
    ['both in a form', { body: { code: 'c', state: 's' } }, { kind: 'code' }],
    ['one in each', { query: { code: 'c' }, body: { state: 's' } }, { kind: 'code' }],
    ['a state in the form only', { query: { code: 'c', state: '' }, body: { state: 's' } }, { kind: 'code' }],
    ['a code in the form only', { query: { code: '', state: 's' }, body: { code: 'c' } }, { kind: 'code' }],
    ['a state alone', { query: { state: 's' } }, { kind: 'denied', state: 's' }],
    ['an empty code', { query: { code: '', state: 's' } }, { kind: 'denied', state: 's' }],
    ['the code of a refusal', { query: { code: 'AuthDeny', state: 's' } }, { kind: 'denied', state: 's' }],
    ['an error', { query: { error: 'access_denied', state: 's' } }, { kind: 'denied', state: 's' }],
    ['an error and a code', { query: { error: '', code: 'c', state: 's' } }, { kind: 'denied', state: 's' }],
    ['a code alone', { query: { code: 'c' } }, { kind: 'stateless' }],
    ['an error alone', { query: { error: 'access_denied' } }, { kind: 'stateless' }],
    ['an empty state alone', { query: { state: '' } }, { kind: 'stateless' }],
    ['a code given twice', { query: { code: ['c', 'c'], state: 's' } }, { kind: 'malformed' }],
    ['a state that is an object', { query: { code: 'c', state: { a: 's' } } }, { kind: 'malformed' }],
    ['an error that is an object', { query: { code: 'c', state: 's', error: {} } }, { kind: 'malformed' }],
    ['a state given twice, empty', { query: { state: [''] } }, { kind: 'malformed' }],
  ])('reads %s', (_what, request, expected) => {
    expect(readCallback(request)).toEqual(expected);
  });
});

describe('readAuthorizationCode', () => {
  it.each([
    ['0a1b', '0a1b'],
    ['authdeny', null],
    ['AUTHDENY', null],
    ['authdenyX', 'authdenyX'],
    ['Xauthdeny', 'Xauthdeny'],
    ['', null],
    [undefined, null],
    [['c'], null],
  ])('of %j is %j', (code, expected) => {
    expect(readAuthorizationCode(code)).toBe(expected);
  });
});

describe('WechatOAuth2Client', () => {
  const grant = {
    accessToken: new Secret('at'),
    refreshToken: new Secret('rt'),
    expiresIn: 7_200,
    openid: 'o1',
    scopes: ['snsapi_userinfo'],
    unionid: null,
    snapshotUser: false,
  };
  const exchanging = (given: typeof grant) => {
    const fail = jest.fn();
    const steps = { exchange: () => Promise.resolve(given), fail };
    return { fail, client: new WechatOAuth2Client('wx1', 'https://a.example', 'https://t.example', steps) };
  };
  const settled = () => new Promise(setImmediate);

  it('gives passport-oauth2 the tokens, and keeps the grant', async () => {
    const { client, fail } = exchanging(grant);
    const done = jest.fn();

    client.getOAuthAccessToken('c', {}, done);
    await settled();

    expect(done.mock.calls).toEqual([[null, 'at', 'rt', expect.objectContaining({ openid: 'o1' })]]);
    expect(client.grant).toBe(grant);
    expect(fail).not.toHaveBeenCalled();
  });

  it('keeps the grant without a receiver of the tokens', async () => {
    const { client, fail } = exchanging(grant);

    client.getOAuthAccessToken('c', {});
    await settled();

    expect(client.grant).toBe(grant);
    expect(fail).not.toHaveBeenCalled();
  });

  it('fails for a snapshot page, whose ids are nobody’s', async () => {
    const { client, fail } = exchanging({ ...grant, snapshotUser: true });
    const done = jest.fn();

    client.getOAuthAccessToken('c', {}, done);
    await settled();

    expect(fail.mock.calls).toEqual([[expect.objectContaining({ code: 'snapshot_user' })]]);
    expect(client.grant).toBeNull();
    expect(done).not.toHaveBeenCalled();
  });
});
