import { IamError } from '../errors/iam.error.js';

/** Parameters of a push or handshake, as the URL gave them: an array where one was given several times. */
export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What WeChat's signatures cover besides the Token, each of the right form and the timestamp of now. */
export interface QueryToVerify {
  readonly timestamp: string;
  readonly nonce: string;
}

/** Seconds that WeChat's clock and ours may differ. */
const WINDOW_SECONDS = 300;

/** @throws IamError `webhook_signature_invalid` */
export function readQuery(query: RawQuery, now: number): QueryToVerify {
  const timestamp = readText(query, 'timestamp', /^\d{10}$/);
  const nonce = readText(query, 'nonce', /^[\x21-\x7e]{1,128}$/);
  if (!isInWindow(timestamp, now))
    throw forged(`timestamp is ${Math.round(now / 1000 - Number(timestamp))} s old: is the clock right?`);
  return { timestamp, nonce };
}

/** True for a timestamp in seconds that is close enough to `now` in milliseconds. */
export function isInWindow(timestamp: string, now: number): boolean {
  return Math.abs(now / 1000 - Number(timestamp)) <= WINDOW_SECONDS;
}

/** A parameter given once, of this form. @throws IamError `webhook_signature_invalid` */
export function readText(query: RawQuery, name: string, form: RegExp): string {
  const value = query[name];
  if (typeof value !== 'string' || !form.test(value)) throw forged(`${name} is missing or has another form`);
  return value;
}

/** 40 lower-case hex digits. */
export const signatureForm = /^[0-9a-f]{40}$/;

/** One error for whatever shows that WeChat did not send this; the reason is for the log. */
export function forged(reason: string, cause?: unknown): IamError {
  return new IamError('webhook_signature_invalid', reason, cause === undefined ? {} : { cause });
}
