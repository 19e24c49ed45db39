import { computed, onScopeDispose, ref } from 'vue';
import { call, Problem } from '../shared/api';
import { recordConsent } from './consent';
import { authorizePath, type Way } from './request';

/** What `POST /follow` gives. */
interface Code {
  readonly device_code: string;
  readonly number: string;
  readonly expires_in: number;
  readonly interval: number;
  readonly qr_image: string;
  readonly verification_uri_complete?: string;
  readonly confirmation: 'tap' | 'number' | 'none';
  readonly events_uri: string;
}

/** What `POST /follow/finish` says. */
interface Finish {
  readonly status: string;
  readonly location?: string;
}

export type FollowState =
  'loading' | 'pending' | 'scanned' | 'confirmed' | 'denied' | 'expired' | 'limited' | 'failed' | 'offline';

const endings: ReadonlySet<FollowState> = new Set(['denied', 'expired', 'limited', 'failed', 'offline']);
/** Nothing of the attempt is left: the next QR code begins another one. */
const lostAttempt: ReadonlySet<string> = new Set(['state_mismatch', 'state_expired']);

/** The QR code of an Official Account and what becomes of it. It leaves the page when the scan is confirmed. */
export function useFollow(way: Way) {
  const state = ref<FollowState>('loading');
  const code = ref<Code | null>(null);
  const problem = ref<Problem | null>(null);
  /** The server did not respond; the scan is not lost. */
  const isInterrupted = ref(false);
  let attempt: string | null = null;
  let source: EventSource | undefined;
  let timer: number | undefined;
  let deadline = 0;
  let isFinishing = false;
  let generation = 0;

  function stop(): void {
    source?.close();
    window.clearTimeout(timer);
  }

  function end(ending: FollowState): void {
    stop();
    state.value = ending;
  }

  function fail(thrown: unknown): void {
    if (!(thrown instanceof Problem)) throw thrown;
    if (lostAttempt.has(thrown.code)) attempt = null;
    problem.value = thrown;
    if (thrown.status === 429) end('limited');
    else end(thrown.status === 0 ? 'offline' : lostAttempt.has(thrown.code) ? 'expired' : 'failed');
  }

  async function start(): Promise<void> {
    stop();
    const mine = (generation += 1);
    state.value = 'loading';
    isInterrupted.value = false;
    try {
      attempt ??= await begin(way);
      const { body } = await call<Code>('follow', { method: 'POST', body: { state: attempt } });
      if (mine !== generation) return;
      code.value = body;
    } catch (thrown) {
      if (mine === generation) fail(thrown);
      return;
    }
    state.value = 'pending';
    isFinishing = false;
    extend(code.value);
    listen(code.value.events_uri);
    poll();
  }

  function listen(uri: string): void {
    source = new EventSource(uri);
    for (const name of ['scanned', 'confirmed', 'denied', 'expired', 'failed'] as const)
      source.addEventListener(name, () => apply(name));
  }

  function apply(next: string): void {
    isInterrupted.value = false;
    if (next === 'confirmed') void finish();
    else if (next === 'scanned' || next === 'pending') state.value = next;
    else end(next === 'denied' || next === 'failed' ? next : 'expired');
  }

  function poll(): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void finish(), (code.value?.interval ?? 2) * 1_000);
  }

  async function finish(): Promise<void> {
    const current = code.value;
    if (isFinishing || current === null || attempt === null) return;
    isFinishing = true;
    const body = { state: attempt, device_code: current.device_code };
    try {
      const answer = await call<Finish>('follow/finish', { method: 'POST', body });
      if (current === code.value) finished(answer.body);
    } catch (thrown) {
      if (current === code.value) retry(thrown);
    } finally {
      if (current === code.value) isFinishing = false;
    }
  }

  function finished({ status, location: to }: Finish): void {
    if (to !== undefined) {
      end('confirmed');
      location.replace(to);
      return;
    }
    apply(status === 'confirmed' ? 'scanned' : status);
    if (endings.has(state.value) || code.value === null) return;
    extend(code.value);
    poll();
  }

  /** A server that waits says itself when it is over; one that is away is asked for as long as this. */
  function extend({ expires_in: seconds }: Code): void {
    deadline = Date.now() + seconds * 2_000;
  }

  /** The server or its database is restarted: a scan of that time is not lost. */
  function retry(thrown: unknown): void {
    if (!(thrown instanceof Problem)) throw thrown;
    const isPassing = thrown.status === 0 || thrown.status === 429 || thrown.status >= 500;
    if (!isPassing) fail(thrown);
    else if (Date.now() > deadline) end('expired');
    else {
      isInterrupted.value = true;
      poll();
    }
  }

  onScopeDispose(() => {
    generation += 1;
    code.value = null;
    stop();
  });
  return { state, code, problem, isInterrupted, isOver: computed(() => endings.has(state.value)), start };
}

/** Begins an attempt that is in a cookie of this browser; its name. @throws Problem */
async function begin(way: Way): Promise<string> {
  await recordConsent();
  const { body } = await call<{ state: string }>(authorizePath(way, 'widget'));
  return body.state;
}
