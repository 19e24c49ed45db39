import { isIP } from 'node:net';
import { isLoopback, isPrivate, isPublic } from './address-guard.js';

/** The three hosts of WeChat itself, as base URLs without a trailing slash. */
const wechatEndpoints = {
  /** Server calls: `/sns/*` and `/cgi-bin/*`. */
  api: 'https://api.weixin.qq.com',
  /** The pages a browser is sent to: `/connect/*`. */
  open: 'https://open.weixin.qq.com',
  /** QR code images: `/cgi-bin/showqrcode`. */
  mp: 'https://mp.weixin.qq.com',
};

/** The hosts in use in their place. */
export type WechatEndpoints = Readonly<typeof wechatEndpoints>;

/** Hosts that a URL may name in addition to public ones over https. */
interface EndpointRules {
  /** This machine, also over http, for the emulator and for tests. */
  readonly allowLoopback: boolean;
  /** Hosts of a private network, also over http: a relay, or an emulator in another container. */
  readonly allowPrivateEndpoints?: boolean | undefined;
}

/** Completes and checks the configured hosts; a wrong one is a `TypeError` that names the option. */
export function resolveWechatEndpoints(
  input: { readonly [Name in keyof WechatEndpoints]?: string | undefined } | undefined,
  rules: EndpointRules,
): WechatEndpoints {
  return Object.freeze({
    api: resolveEndpoint('api', input?.api, rules),
    open: resolveEndpoint('open', input?.open, rules),
    mp: resolveEndpoint('mp', input?.mp, rules),
  });
}

function resolveEndpoint(
  name: keyof WechatEndpoints,
  input: string | undefined,
  rules: EndpointRules,
): string {
  if (input === undefined) return wechatEndpoints[name];
  const problem = problemOf(input, rules);
  if (problem !== null) throw new TypeError(`wechat.endpoints.${name}: ${problem}`);
  const url = new URL(input);
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function problemOf(input: unknown, rules: EndpointRules): string | null {
  if (typeof input !== 'string' || !URL.canParse(input)) return 'expected an absolute URL';
  const url = new URL(input);
  if (url.search !== '' || url.hash !== '') return 'a URL with a query or a fragment is not allowed';
  return addressProblem(url, rules);
}

/** Why this process may not call an address; null where it may, as far as the name of the host tells. */
export function addressProblem(
  url: URL,
  { allowLoopback, allowPrivateEndpoints = false }: EndpointRules,
): string | null {
  if (url.username !== '' || url.password !== '') return 'a URL with credentials is not allowed';
  if (isLocalHost(url.hostname)) {
    if (!allowLoopback) return 'a loopback address is allowed only with allowLoopback';
    return /^https?:$/.test(url.protocol) ? null : 'expected http or https';
  }
  const address = bareHost(url.hostname);
  const isName = isIP(address) === 0;
  if (!/^https?:$/.test(url.protocol)) return 'expected https';
  if (!allowPrivateEndpoints && url.protocol === 'http:')
    return 'expected https; http is allowed only in a private network, with wechat.allowPrivateEndpoints';
  if (url.protocol === 'http:' && !isName && isPublic(address)) return 'expected https for a public address';
  if (isName || isPublic(address)) return null;
  if (!isPrivate(address)) return 'a reserved address is not allowed';
  return allowPrivateEndpoints ? null : 'a private address is allowed only with wechat.allowPrivateEndpoints';
}

/** True for a host name or address of this machine. */
export function isLocalHost(hostname: string): boolean {
  const host = bareHost(hostname);
  return isIP(host) === 0 ? /^(.+\.)?localhost\.?$/.test(host) : isLoopback(host);
}

/** The WHATWG parser has already turned decimal, octal and hexadecimal forms into dotted ones. */
function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
