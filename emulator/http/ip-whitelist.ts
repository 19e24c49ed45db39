import { BlockList, isIP } from 'node:net';

/** An address as it is written without the IPv4-in-IPv6 prefix. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** True when the address is one of the list's addresses or inside one of its CIDR ranges. */
export function isWhitelisted(address: string, list: readonly string[]): boolean {
  const allowed = new BlockList();
  for (const entry of list) {
    const [network = '', prefix] = entry.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) allowed.addAddress(network, family);
    else allowed.addSubnet(network, Number(prefix), family);
  }
  const plain = plainAddress(address);
  return allowed.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}
