import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { sha256 } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { Sealer } from '../crypto/sealer.js';
import { IamError } from '../errors/iam.error.js';
import { cookieName, setCookie } from '../http/iam-response.js';
import type { Parameters } from '../http/request-body.js';
import { MAX_COOKIE_BYTES } from '../sessions/session-cookies.service.js';
import { consentSchema } from '../users/subject.js';
import { authorizationRequestSchema, requestParameters } from './login.js';

/** What a browser carries to WeChat and back. Nothing of it is stored before the callback. */
const attemptSchema = z.object({
  state: z.string(),
  provider: z.string(),
  /** The name of the method of signing in. */
  method: z.string(),
  /** The key pair in use is the one of the start, never derived again from the callback's User-Agent. */
  appid: z.string(),
  clientId: z.string(),
  redirectUri: z.string(),
  clientState: z.string().optional(),
  codeChallenge: z.string(),
  request: authorizationRequestSchema.optional(),
  /** The confirmed scan that this Open Platform step follows. */
  followLoginId: z.string().optional(),
  /** The user who links another identity by this attempt, and their session. */
  link: z.object({ userId: z.string(), sessionId: z.string() }).optional(),
  /** What the person agreed to on the page of the chooser. */
  consent: consentSchema.optional(),
  /** The person chose the way on that page, and may choose another there if this one fails. */
  isChosen: z.boolean().optional(),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
});

/** See `attemptSchema`. */
export type Attempt = Readonly<z.infer<typeof attemptSchema>>;

/** The parameters of the authorization request that an attempt began with, but for client and provider. */
export function attemptParameters(attempt: Attempt): Parameters {
  const { redirectUri, clientState, codeChallenge, request } = attempt;
  return {
    redirect_uri: redirectUri,
    ...(clientState !== undefined && { state: clientState }),
    code_challenge: codeChallenge,
    ...requestParameters(request),
  };
}

/** What a row keeps of an attempt's state. */
export function attemptHash(state: string): string {
  return sha256(state);
}

/** Distinguishes the cookies of attempts that wait side by side. */
function attemptId(hash: string): string {
  return hash.slice(0, 16);
}

type Cookies = Readonly<Record<string, string | undefined>>;

/** More sign-ins side by side than tabs anybody opens. */
const MAX_ATTEMPTS = 5;
/** What all cookies of one kind together may take of the 8 KiB that proxies allow a header. */
export const MAX_BYTES_TOGETHER = 6_144;
/** How long a cookie outlives its attempt, so that a late browser still returns to its client, with an error. */
const LATE_SECONDS = 3_600;
/** After the callback, long enough for WeChat's second request or a reload to get the same response. */
const AFTERLIFE_SECONDS = 60;
/** Longer than a code and the binding token that it may lead to (660 seconds). */
const BINDING_SECONDS = 720;

/** When the attempt was started, and `markOf`. */
const markForm = /^\d+~([\w-]{43})\./;

/** One sealed cookie per sign-in attempt. */
@Injectable()
export class AttemptCookies {
  private readonly sealer: Sealer;
  private readonly marks: Mac;
  private readonly prefix: string;

  constructor(@Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions) {
    this.sealer = new Sealer(options.keyRing, 'login-attempt');
    this.marks = new Mac(options.keyRing, 'attempt-mark');
    this.prefix = cookieName('iam-login-', options);
  }

  /**
   * `Set-Cookie` values that carry an attempt and drop the oldest of too many or too long ones.
   * @throws IamError `invalid_request` when what the client sent makes the cookie too long
   */
  start(attempt: Attempt, present: Cookies): string[] {
    const sealed = `${attempt.startedAt}~${this.markOf(attempt.state)}.${this.sealer.seal(JSON.stringify(attempt), attempt.state)}`;
    const kept = this.write(this.nameOf(attempt.state), sealed, this.options.loginLifetime + LATE_SECONDS);
    if (kept.length > MAX_COOKIE_BYTES) throw new IamError('invalid_request', 'state: too long for a cookie');
    return [kept, ...this.surplus(present, kept.length).map((name) => this.write(name, '', 0))];
  }

  /** The attempt of a state, if this browser started it. */
  find(state: string, present: Cookies): Attempt | null {
    const value = present[this.nameOf(state)];
    const sealed = value?.slice(value.indexOf('.') + 1);
    return sealed === undefined ? null : this.sealer.openJson(sealed, state, attemptSchema);
  }

  /** True for the browser that carries the attempt with this hash of its state: what belongs to it is not handed to another. */
  holds(hash: string, present: Cookies): boolean {
    const tag = present[`${this.prefix}${attemptId(hash)}`]?.match(markForm)?.[1];
    return tag !== undefined && this.marks.verify(hash, tag);
  }

  /** `Set-Cookie` values once the attempt has its outcome. */
  finish(state: string, present: Cookies): string[] {
    return this.keep(state, present, AFTERLIFE_SECONDS);
  }

  /** As `finish`, of one that a person may have yet to be connected by: `holds` finds it as long as a binding token lives. */
  finishForBinding(state: string, present: Cookies): string[] {
    return this.keep(state, present, BINDING_SECONDS);
  }

  /** Newest first; browsers send older cookies first (RFC 6265 §5.4), which decides within a millisecond. */
  private surplus(present: Cookies, newBytes: number): string[] {
    const startedAt = (value: string | undefined) => Number.parseInt(String(value), 10) || 0;
    let bytes = newBytes;
    return Object.entries(present)
      .filter(([name]) => name.startsWith(this.prefix))
      .reverse()
      .sort(([, left], [, right]) => startedAt(right) - startedAt(left))
      .filter(([name, value], index) => {
        bytes += `${name}${String(value)}`.length;
        return index >= MAX_ATTEMPTS - 1 || bytes > MAX_BYTES_TOGETHER;
      })
      .map(([name]) => name);
  }

  /** Proves that we gave this cookie for this state without opening the cookie. */
  private markOf(state: string): string {
    return this.marks.sign(attemptHash(state));
  }

  private keep(state: string, present: Cookies, seconds: number): string[] {
    const name = this.nameOf(state);
    return [this.write(name, present[name] ?? '', seconds)];
  }

  private nameOf(state: string): string {
    return `${this.prefix}${attemptId(attemptHash(state))}`;
  }

  private write(name: string, value: string, maxAge: number): string {
    return setCookie({ name, value, maxAge }, this.options);
  }
}
