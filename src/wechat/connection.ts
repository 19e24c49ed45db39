import type { LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import { Secret } from '../crypto/secret.js';
import { isPrivate, isPublic } from '../config/address-guard.js';

/** Over http only a private network may be reached: a public one would read the secrets. */
export function reachable(api: string, allowPrivate = false): (address: string) => boolean {
  if (!allowPrivate) return isPublic;
  return api.startsWith('http:') ? isPrivate : (address) => isPublic(address) || isPrivate(address);
}

/**
 * How calls leave this machine: directly, with `lookup` for every name, or by a proxy. Loads undici, which would add 40 ms
 * to every start.
 * @throws TypeError that names the setting and not the proxy, whose URL may hold a password
 */
export async function openConnection(
  proxy: Secret | string | undefined,
  lookup: LookupFunction,
): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent, ProxyAgent } = await import('undici');
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

/** Reads a body; null once it is over `maxBytes`, and the rest is not read. */
export async function readAtMost(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** When a breaker opens, and for how long. */
interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds in which every call is refused; then one call probes the host. */
  readonly openMs: number;
  /** Milliseconds of a clock that only runs forward. */
  readonly now: () => number;
}

/**
 * Refuses calls to a host that does not respond, so that requests and connections do not pile up. Only failures of the
 * connection count: any response proves that the host is up.
 */
export class CircuitBreaker {
  private failures = 0;
  private closedAgainAt = Number.NEGATIVE_INFINITY;
  private isTrying = false;

  constructor(private readonly settings: BreakerSettings) {}

  /** False while calls are refused. */
  get isClosed(): boolean {
    return this.failures < this.settings.failures;
  }

  /** Null admits a call, whose end must be reported; a number is the milliseconds to wait. */
  enter(): number | null {
    if (this.isClosed) return null;
    const remaining = this.closedAgainAt - this.settings.now();
    if (remaining > 0) return remaining;
    if (this.isTrying) return this.settings.openMs;
    this.isTrying = true;
    return null;
  }

  /** Reports a call with a response. */
  succeeded(): void {
    this.failures = 0;
    this.isTrying = false;
  }

  /** Reports a call without one. */
  failed(): void {
    this.failures += 1;
    this.isTrying = false;
    if (!this.isClosed) this.closedAgainAt = this.settings.now() + this.settings.openMs;
  }
}
