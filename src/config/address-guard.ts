import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Networks in CIDR notation, separated by blanks. */
function blockList(networks: string): BlockList {
  const list = new BlockList();
  for (const network of networks.trim().split(/\s+/)) {
    const [address = '', prefix] = network.split('/');
    list.addSubnet(address, Number(prefix), family(address));
  }
  return list;
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

const loopback = blockList('127.0.0.0/8 ::1/128');

const special4 = `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
  192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3`;
const special6 = `::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/9 ff00::/8`;
/** The same IPv4 networks as a NAT64 gateway shows them (RFC 6052). */
const special4ByNat64 = special4.replace(
  /(\S+)\/(\d+)/g,
  (_network, address: string, prefix: string) => `64:ff9b::${address}/${96 + Number(prefix)}`,
);
/** Everything that is not the public internet (IANA special-purpose registries), loopback included. */
const special = blockList(`${special4} ${special4ByNat64} ${special6}`);

/** True for an address of this machine, also as an IPv4-mapped IPv6 address. */
export function isLoopback(address: string): boolean {
  return loopback.check(address, family(address));
}

/** True for an address of the public internet: not private, link-local, metadata, loopback, multicast or reserved. */
export function isPublic(address: string): boolean {
  return isIP(address) !== 0 && !special.check(address, family(address));
}

/**
 * True for a host that is reached over the public internet: a public address, or a name that is neither of this machine, of one
 * label, nor of a domain reserved for private networks (RFC 6761, RFC 6762, RFC 8375, `internal`).
 */
export function isPublicHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
  if (isIP(host) !== 0) return isPublic(host);
  return host.includes('.') && !/\.(?:localhost|test|local|internal|home\.arpa)$/.test(host);
}

/** Networks of an operator's own: RFC 1918, ULA, carrier-grade NAT, and the addresses that fake-IP proxies make up. */
const own = blockList('10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 198.18.0.0/15 fc00::/7');

/** Metadata services, which hand out a cloud's credentials: never reachable. */
const metadata = blockList('100.100.100.200/32 fd00:ec2::254/128');

/** True for an address of a private network, the metadata services in them left out. */
export function isPrivate(address: string): boolean {
  return (
    isIP(address) !== 0 && own.check(address, family(address)) && !metadata.check(address, family(address))
  );
}

/** A name resolved to an address that outgoing calls may not reach. */
class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';

  constructor(hostname: string) {
    super(`${hostname} resolves to an address that is not public`);
    this.name = 'AddressRefused';
  }
}

/**
 * A DNS lookup for the socket itself, so that it connects to the address that was checked, even if the name
 * resolves to another one a moment later (DNS rebinding).
 */
export function guardedLookup(
  allowLoopback: boolean,
  isReachable: (address: string) => boolean = isPublic,
): LookupFunction {
  const allowed = ({ address }: LookupAddress) =>
    isReachable(address) || (allowLoopback && isLoopback(address));
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = error === null ? addresses : [];
      if (error !== null) callback(error, []);
      else if (first === undefined || !addresses.every(allowed)) callback(new AddressRefused(hostname), []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** The reason why `lookup` refuses a name; null for a name that is allowed or does not resolve here. */
export function lookupRefusal(hostname: string, lookup: LookupFunction): Promise<AddressRefused | null> {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return Promise.resolve(null);
  return new Promise((resolve) => {
    lookup(hostname, { all: true }, (error) => resolve(error instanceof AddressRefused ? error : null));
  });
}
