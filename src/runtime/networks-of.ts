import { isIPv6 } from 'node:net';

/** The networks of an address, the narrowest first; `narrow` counts as one visitor. */
interface Networks {
  /** An IPv4 address; of an IPv6 address its /64, since one line has all of them. */
  readonly narrow: string;
  /** The /56 that a provider gives to one customer; an IPv4 address has none. */
  readonly middle: string | null;
  /** The /48 that a business or a host gets, or the IPv4 /24; null for a text that is no address. */
  readonly wide: string | null;
}

/** How much more a `middle` network may have than one visitor. */
export const MIDDLE_SHARE = 2;
/** How much more a `wide` network may have than one visitor. */
export const WIDE_SHARE = 4;

/** See `Networks`. */
export function networksOf(address: string): Networks {
  const [plain = ''] = address.split('%');
  const v4 = /^(?:::ffff:)?((\d+\.\d+\.\d+)\.\d+)$/i.exec(plain);
  if (v4 !== null) return { narrow: v4[1] ?? plain, middle: null, wide: `${v4[2] ?? ''}.0/24` };
  if (!isIPv6(plain)) return { narrow: address, middle: null, wide: null };
  const groups = groupsOf(plain);
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  const write = (...parts: number[]) => parts.map((part) => part.toString(16)).join(':');
  return {
    narrow: `${write(a, b, c, d)}::/64`,
    middle: `${write(a, b, c, d & 0xff00)}::/56`,
    wide: `${write(a, b, c)}::/48`,
  };
}

/** The URL parser writes an address in its shortest form, all in hexadecimal (RFC 5952). */
function groupsOf(address: string): number[] {
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = short.split('::');
  const before = parse(head);
  const after = parse(tail ?? '');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => 0), ...after];
}

function parse(groups: string): number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16));
}
