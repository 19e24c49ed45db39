import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Clock } from '../runtime/clock.js';
import { networksOf } from '../runtime/networks-of.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { RateLimits } from './rate-limits.service.js';

const SECONDS = 60;
/** Senders that a process remembers for each limit: addresses, each with what it guesses or with one browser. */
const MOST_SENDERS = 10_000;

/** As operators know them. */
type Limit = 'failures' | 'single_sign_on';

/**
 * Limits, by address, tokens and keys that we never issued, proofs that are not of a client, and how often one browser goes past
 * WeChat. Counting costs no statement: each process counts for itself.
 */
@Injectable()
export class Forgeries {
  /** Apart, because what succeeds for many browsers must not push a guesser out. */
  private readonly windows: Readonly<
    Record<Limit, Map<string, { readonly count: number; readonly until: number }>>
  > = {
    failures: new Map(),
    single_sign_on: new Map(),
  };

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly limits: RateLimits,
    private readonly clock: Clock,
  ) {}

  /** With `target`, wrong guesses at others do not count. @throws IamError `rate_limited` once there are too many */
  count({ ip }: RequestOrigin, target?: string, name: Limit = 'failures'): void {
    const { rateLimits } = this.options;
    const windows = this.windows[name];
    if (rateLimits === 'off') return;
    const sender = senderOf(ip, target);
    const now = this.clock.elapsed();
    const known = windows.get(sender);
    const window =
      known !== undefined && known.until > now ? known : { count: 0, until: now + SECONDS * 1000 };
    const isRefused = window.count >= rateLimits.failuresPerAddressAndMinute;
    windows.delete(sender);
    windows.set(sender, { ...window, count: window.count + (isRefused ? 0 : 1) });
    const [oldest] = windows.keys();
    if (windows.size > MOST_SENDERS && oldest !== undefined) windows.delete(oldest);
    if (!isRefused) return;
    throw this.limits.refusal({
      tier: { name, key: `${name}:process:${sender}`, kind: 'window', points: 0, seconds: SECONDS },
      retryAfterSeconds: Math.max(1, Math.ceil((window.until - now) / 1000)),
      inFlight: 0,
    });
  }

  /** What was counted before it was tried was none. */
  forgive({ ip }: RequestOrigin, target?: string): void {
    const sender = senderOf(ip, target);
    const known = this.windows.failures.get(sender);
    if (known !== undefined)
      this.windows.failures.set(sender, { ...known, count: Math.max(0, known.count - 1) });
  }
}

function senderOf(ip: string | null, target?: string): string {
  const { narrow } = networksOf(ip ?? 'unknown');
  return target === undefined ? narrow : `${narrow} ${target}`;
}
