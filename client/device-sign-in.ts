import { IamClientError, isPassing, type Json } from './error.js';
import type { Grant } from './token-session.js';

/**
 * Where a scan stands: `reconnecting` while the server cannot be asked, `denied`, `expired` and `failed` at its end, just before
 * the promise is rejected.
 */
export type DeviceState =
  'pending' | 'scanned' | 'confirmed' | 'reconnecting' | 'denied' | 'expired' | 'failed';

/** What to show while a person scans. */
export interface DeviceCode {
  /** The QR code as a data URL, and what it holds. */
  readonly qrImage: string;
  readonly verificationUriComplete: string;
  /** To compare with what the phone shows. */
  readonly userCode: string;
  /** Four digits, to be typed on the phone where `confirmation` is `number`. */
  readonly number: string;
  readonly confirmation: 'tap' | 'number' | 'none' | (string & {});
  /** A page on which `userCode` can be typed instead of scanning. */
  readonly verificationUri: string;
  /** By the clock of this device, in milliseconds. */
  readonly expiresAt: number;
}

/** A sign-in by a QR code on a page of your own. */
export interface DeviceSignIn {
  readonly provider: string;
  /** Called at each change, first with `pending` and what to show. */
  readonly onState: (state: DeviceState, device: DeviceCode) => void;
  /** Gives it up; the promise is rejected with `aborted`. */
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly begun: Json;
  readonly signal: AbortSignal | undefined;
  readonly show: (state: DeviceState) => void;
  readonly redeem: (grant: Grant) => Promise<void>;
}

const type = 'urn:ietf:params:oauth:grant-type:device_code';
const waiting = ['authorization_pending', 'slow_down'];
const endings: Readonly<Record<string, DeviceState>> = { access_denied: 'denied', expired_token: 'expired' };
/** While the stream is open, polls are only for what a proxy has swallowed. */
const SELDOM = 5;

/** Waits until the phone has confirmed (RFC 8628 §3.4): told by the stream, found by polls without one. */
export async function awaitDevice(
  begun: Json,
  { onState, signal }: Omit<DeviceSignIn, 'provider'>,
  redeem: (grant: Grant) => Promise<void>,
): Promise<void> {
  const device = toDeviceCode(begun);
  let last: DeviceState | null = null;
  const show = (state: DeviceState) => {
    if (state !== last) onState((last = state), device);
  };
  show('pending');
  try {
    await poll({ begun, signal, show, redeem });
  } catch (error) {
    const code = error instanceof IamClientError ? error.code : '';
    if (!['aborted', 'binding_required', 'interaction_required'].includes(code))
      show(endings[code] ?? 'failed');
    throw error;
  }
}

async function poll({ begun, signal, show, redeem }: Waiting): Promise<void> {
  const alarm = new Alarm();
  const stop = () => alarm.ring();
  const scan: { state: DeviceState } = { state: 'pending' };
  const events = listen(text(begun, 'events_uri'), (told) => {
    if (told === 'scanned' || told === 'confirmed') show((scan.state = told));
    if (told !== 'scanned') alarm.ring();
  });
  signal?.addEventListener('abort', stop);
  let seconds = Number(begun['interval']);
  // A scan of a moment when the server was away is still worth asking for. A server that waits says itself when it is over.
  const patience = Number(begun['expires_in']) * 2_000;
  let deadline = Date.now() + patience;
  try {
    for (;;) {
      await alarm.wait(seconds * (events?.readyState === 1 && scan.state !== 'confirmed' ? SELDOM : 1));
      if (signal?.aborted) throw new IamClientError('aborted');
      const error = await redeem({ grant_type: type, device_code: text(begun, 'device_code') }).then(
        () => null,
        (thrown: unknown) => (thrown instanceof Error ? thrown : new Error(String(thrown))),
      );
      if (error === null) return;
      const isWaiting = error instanceof IamClientError && waiting.includes(error.code);
      if (!isWaiting && (!isPassing(error) || isFinal(error)) && !isLimited(error)) throw error;
      if (isWaiting) deadline = Date.now() + patience;
      else if (Date.now() > deadline) throw new IamClientError('expired_token');
      if (!isWaiting || error.code === 'slow_down') seconds += isWaiting ? 5 : 1;
      show(isPassing(error) ? 'reconnecting' : scan.state);
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    events?.close();
  }
}

/** The server itself says that it failed at this sign-in; one that is away only for a while answers otherwise. */
function isFinal(error: unknown): boolean {
  return error instanceof IamClientError && error.status === 500 && error.code !== 'http_500';
}

function isLimited(error: unknown): boolean {
  return error instanceof IamClientError && error.status === 429;
}

/** Null where browsers have no stream; polls are enough. */
function listen(uri: string, tell: (state: string) => void): EventSource | null {
  if (typeof EventSource === 'undefined') return null;
  const events = new EventSource(uri);
  for (const state of ['scanned', 'confirmed', 'denied', 'expired', 'failed', 'done'])
    events.addEventListener(state, () => tell(state));
  return events;
}

/** A pause that can be cut short. */
class Alarm {
  private wake: (() => void) | null = null;
  private isRung = false;

  ring(): void {
    this.isRung = true;
    this.wake?.();
  }

  async wait(seconds: number): Promise<void> {
    if (!this.isRung)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1_000);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.isRung = false;
  }
}

function toDeviceCode(begun: Json): DeviceCode {
  return {
    qrImage: text(begun, 'qr_image'),
    verificationUriComplete: text(begun, 'verification_uri_complete'),
    userCode: text(begun, 'user_code'),
    number: text(begun, 'number'),
    confirmation: text(begun, 'confirmation'),
    verificationUri: text(begun, 'verification_uri'),
    expiresAt: Date.now() + Number(begun['expires_in']) * 1_000,
  };
}

function text(body: Json, name: string): string {
  const value = body[name];
  return typeof value === 'string' ? value : '';
}
