import { networksOf } from '../../src/runtime/networks-of.js';

describe('the networks that a rate limit counts', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', null, '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.7', null, '192.0.2.0/24'],
    ['2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64', '2001:db8:1:0::/56', '2001:db8:1::/48'],
    ['2001:0DB8:0001:ab02::1', '2001:db8:1:ab02::/64', '2001:db8:1:ab00::/56', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0:0::/64', '2001:db8:0:0::/56', '2001:db8:0::/48'],
    ['::1', '0:0:0:0::/64', '0:0:0:0::/56', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0:0::/56', 'fe80:0:0::/48'],
    ['unknown', 'unknown', null, null],
    ['not an address', 'not an address', null, null],
  ])('of %s are %s, %s and %s', (address, narrow, middle, wide) => {
    const networks = networksOf(address);

    expect(networks).toEqual({ narrow, middle, wide });
  });
});
