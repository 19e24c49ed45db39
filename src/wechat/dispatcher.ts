import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent } from 'undici';
import { Secret } from '../crypto/secret.js';
import { isPrivate, isPublic } from '../config/address-guard.js';

/** Over http only a private network may be reached: a public one would read the secrets. */
export function reachable(api: string, allowPrivate = false): (address: string) => boolean {
  if (!allowPrivate) return isPublic;
  return api.startsWith('http:') ? isPrivate : (address) => isPublic(address) || isPrivate(address);
}

/**
 * How calls leave this machine: directly, with `lookup` for every name, or by a proxy.
 * @throws TypeError that names the setting and not the proxy, whose URL may hold a password
 */
export function makeDispatcher(proxy: Secret | string | undefined, lookup: LookupFunction): Dispatcher {
  const direct = { connect: { lookup } };
  if (proxy === undefined) return new Agent(direct);
  const url = proxy instanceof Secret ? proxy.reveal() : proxy;
  try {
    if (url === 'environment') return new EnvHttpProxyAgent(direct);
    const { username, password, origin } = new URL(url);
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const token = `Basic ${Buffer.from(user).toString('base64')}`;
    return new ProxyAgent({ uri: origin, ...(username !== '' && { token }) });
  } catch {
    throw new TypeError(
      url === 'environment'
        ? 'wechat.proxy: expected HTTPS_PROXY and HTTP_PROXY to be URLs such as http://proxy.internal:3128'
        : 'wechat.proxy: expected a URL such as http://proxy.internal:3128',
    );
  }
}
