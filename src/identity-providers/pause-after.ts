import { WechatError } from '../wechat/wechat-error.js';

/** How long to wait before WeChat is asked again, and why. */
export interface Pause {
  readonly reason: 'day_quota' | 'minute_quota' | 'unavailable';
  readonly seconds: number;
  readonly error: WechatError;
}

/** WeChat is asked so often without an answer before a run ends. */
const MOST_FAILURES = 5;
const DAY_QUOTA = 45009;
const DAY_MS = 86_400_000;
/** Quotas of a day begin at 00:00 in Beijing, which is UTC+8 all year. */
const BEIJING_MS = 8 * 3_600_000;
/** WeChat's clock need not be ours. */
const MARGIN_SECONDS = 60;

/** Null: waiting does not help. `failures` counts those in a row before this one; `now` is milliseconds since the epoch. */
export function pauseAfter(
  error: unknown,
  { failures, now }: { readonly failures: number; readonly now: number },
): Pause | null {
  if (!(error instanceof WechatError)) return null;
  if (error.errcode === DAY_QUOTA) {
    const left = DAY_MS - ((now + BEIJING_MS) % DAY_MS);
    return { reason: 'day_quota', seconds: Math.ceil(left / 1000) + MARGIN_SECONDS, error };
  }
  if (error.action === 'rate')
    return { reason: 'minute_quota', seconds: error.retryAfterSeconds ?? 60, error };
  if (error.action !== 'retry' || failures + 1 >= MOST_FAILURES) return null;
  return { reason: 'unavailable', seconds: 5 * 2 ** failures, error };
}
