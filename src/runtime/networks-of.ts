import { isIPv6 } from 'node:net';

/** The networks of an address; `narrow` counts as one visitor. */
interface Networks {
  /** An IPv4 address; of an IPv6 address its /64, since one line has all of them. */
  readonly narrow: string;
  /** The /48 that a business or a host gets, or the IPv4 /24; null for a text that is no address. */
  readonly wide: string | null;
  /** All of them, the narrowest first, each with how much more than one visitor it may have. */
  readonly shares: readonly (readonly [network: string, times: number])[];
}

/** How much more a `wide` network may have than one visitor. The /56 that a provider gives to one customer has twice as much. */
export const WIDE_SHARE = 4;

/** See `Networks`. */
export function networksOf(address: string): Networks {
  const [plain = ''] = address.split('%');
  const [, v4, prefix = ''] = /^(?:::ffff:)?((\d+\.\d+\.\d+)\.\d+)$/i.exec(plain) ?? [];
  if (v4 !== undefined) return shared(v4, null, `${prefix}.0/24`);
  if (!isIPv6(plain)) return shared(address, null, null);
  const [a = 0, b = 0, c = 0, d = 0] = groupsOf(plain);
  const write = (...parts: number[]) => parts.map((part) => part.toString(16)).join(':');
  return shared(`${write(a, b, c, d)}::/64`, `${write(a, b, c, d & 0xff00)}::/56`, `${write(a, b, c)}::/48`);
}

function shared(narrow: string, middle: string | null, wide: string | null): Networks {
  const all = [
    [narrow, 1],
    [middle, 2],
    [wide, WIDE_SHARE],
  ] as const;
  const shares = all.flatMap(([network, times]) => (network === null ? [] : [[network, times] as const]));
  return { narrow, wide, shares };
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
