import { isLoopback, isPublic, guardedLookup } from '../../src/config/address-guard.js';
import { reachable } from '../../src/wechat/connection.js';
import { resolveWechatEndpoints } from '../../src/config/endpoints.js';

const refused = (api: string, allowLoopback: boolean) => () =>
  resolveWechatEndpoints({ api }, { allowLoopback });

const privateUrls = [
  'https://169.254.169.254',
  'https://10.0.0.1',
  'https://172.16.0.1',
  'https://192.168.1.1',
  'https://100.64.0.1',
  'https://167772161',
  'https://0x0a000001',
  'https://012.0.0.1',
  'https://0.0.0.0',
  'https://224.0.0.1',
  'https://255.255.255.255',
  'https://[::]',
  'https://[::ffff:10.0.0.1]',
  'https://[::10.0.0.1]',
  'https://[64:ff9b::10.0.0.1]',
  'https://[2002:a00:1::]',
  'https://[fe80::1]',
  'https://[fc00::1]',
  'https://[fd00:ec2::254]',
  'https://[ff02::1]',
];
const loopbackUrls = [
  'https://127.0.0.1',
  'https://127.1',
  'https://2130706433',
  'https://0x7f.1',
  'https://localhost',
  'https://wechat.localhost.',
  'https://[::1]',
  'https://[::ffff:127.0.0.1]',
];

describe('resolveWechatEndpoints', () => {
  it('names WeChat when nothing is configured', () => {
    expect(resolveWechatEndpoints(undefined, { allowLoopback: false })).toEqual({
      api: 'https://api.weixin.qq.com',
      open: 'https://open.weixin.qq.com',
      mp: 'https://mp.weixin.qq.com',
    });
  });

  it('takes another host or a proxy path, without its trailing slash', () => {
    const endpoints = resolveWechatEndpoints(
      { api: 'https://api2.weixin.qq.com/', open: 'https://proxy.example.com:8443/wechat/' },
      { allowLoopback: false },
    );

    expect(endpoints.api).toBe('https://api2.weixin.qq.com');
    expect(endpoints.open).toBe('https://proxy.example.com:8443/wechat');
  });

  it.each(privateUrls)('refuses %s, even where loopback is allowed', (url) => {
    expect(refused(url, false)).toThrow(/^wechat\.endpoints\.api: a (private|reserved) address is/);
    expect(refused(url, true)).toThrow(/^wechat\.endpoints\.api: a (private|reserved) address is/);
    expect(refused(url.replace('https', 'http'), true)).toThrow('wechat.endpoints.api: expected https');
  });

  it.each(loopbackUrls)('takes %s only where loopback is allowed', (url) => {
    expect(refused(url, false)).toThrow(
      'wechat.endpoints.api: a loopback address is allowed only with allowLoopback',
    );
    expect(refused(url, true)).not.toThrow();
    expect(refused(url.replace('https', 'http'), true)).not.toThrow();
  });

  it.each([
    ['http://api.weixin.qq.com', 'expected https'],
    ['ftp://localhost', 'expected http or https'],
    ['javascript:alert(1)', 'expected https'],
    ['api.weixin.qq.com', 'expected an absolute URL'],
    ['', 'expected an absolute URL'],
    ['https://user:pass@api.weixin.qq.com', 'credentials'],
    ['https://api.weixin.qq.com?x=1', 'query'],
    ['https://api.weixin.qq.com#x', 'fragment'],
  ])('refuses %s and says why', (url, why) => {
    expect(refused(url, true)).toThrow(why);
  });

  it('names the option that is wrong', () => {
    const input = { open: 'https://open.weixin.qq.com', mp: 'http://mp.weixin.qq.com' };

    expect(() => resolveWechatEndpoints(input, { allowLoopback: false })).toThrow(/^wechat\.endpoints\.mp: /);
  });
});

describe('the address guard', () => {
  it.each(['8.8.8.8', '101.89.47.18', '2400:3200::1', '::ffff:8.8.8.8', '64:ff9b::808:808', '172.32.0.1'])(
    'knows %s as public',
    (address) => {
      expect(isPublic(address)).toBe(true);
      expect(isLoopback(address)).toBe(false);
    },
  );

  it.each<[api: string, allowPrivate: boolean, isPublicReached: boolean, isPrivateReached: boolean]>([
    ['https://api.weixin.qq.com', false, true, false],
    ['https://relay.internal', true, true, true],
    ['http://relay.internal', true, false, true],
  ])(
    'of calls to %s, with private endpoints allowed: %s, lets a name be public: %s, and private: %s',
    (api, allowPrivate, isPublicReached, isPrivateReached) => {
      const isReached = reachable(api, allowPrivate);

      expect(isReached('101.89.47.18')).toBe(isPublicReached);
      expect(['10.1.2.3', '192.168.1.2', 'fd00::1'].map(isReached)).toEqual(
        Array.from({ length: 3 }, () => isPrivateReached),
      );
      expect(isReached('169.254.169.254')).toBe(false);
    },
  );

  const resolve = (allowLoopback: boolean) =>
    new Promise<string>((settle) => {
      guardedLookup(allowLoopback)('localhost', { all: true }, (error, addresses) => {
        settle(error === null ? JSON.stringify(addresses) : (error.code ?? error.message));
      });
    });

  it('refuses a name at the moment it resolves to this machine, unless that is allowed', async () => {
    await expect(resolve(false)).resolves.toBe('ADDRESS_REFUSED');
    await expect(resolve(true)).resolves.toMatch(/127\.0\.0\.1|::1/);
  });

  it('passes on that a name does not resolve', async () => {
    const code = await new Promise((settle) => {
      guardedLookup(true)(`${'x'.repeat(300)}.localhost`, {}, (error) => settle(error?.code));
    });

    expect(code).toMatch(/^(ENOTFOUND|EAI_|EINVAL)/);
  });
});
