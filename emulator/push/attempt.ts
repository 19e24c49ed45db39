import { fetchOnce } from '../web-view/http-fetch.js';
import type { EmulatorClock } from '../clock.js';
import type { DeliveryAttempt } from './delivery.js';
import type { PushRequest } from './push-request.js';

/** Where and for how long a push is tried. */
interface AttemptLimits {
  readonly url: string;
  /** Milliseconds, from the first byte sent to the last received. */
  readonly timeout: number;
  readonly clock: EmulatorClock;
  readonly signal: AbortSignal;
}

/** Sends a push once. Anything but a 2xx answer in time is a failure; redirects are not followed. */
export async function attempt(request: PushRequest, limits: AttemptLimits): Promise<DeliveryAttempt> {
  const url = new URL(limits.url);
  for (const [name, value] of request.query) url.searchParams.append(name, value);
  const at = new Date(limits.clock.now());
  const started = performance.now();
  const outcome = await post(url, request, limits);
  return { at, url: url.href, milliseconds: Math.round(performance.now() - started), ...outcome };
}

async function post(
  url: URL,
  { headers, body }: PushRequest,
  { timeout, signal }: AttemptLimits,
): Promise<Pick<DeliveryAttempt, 'status' | 'body' | 'error'>> {
  try {
    const answer = await fetchOnce(url, { method: 'POST', headers, body, timeout, signal });
    const text = answer.body.toString('utf8');
    const ok = answer.status >= 200 && answer.status < 300;
    return { status: answer.status, body: text, ...(ok ? {} : { error: `HTTP ${answer.status}` }) };
  } catch (error) {
    return { status: 0, body: '', error: error instanceof Error ? error.message : 'no answer' };
  }
}
