import { randomInt } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import type { Secret } from '../crypto/secret.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { guardedLookup, lookupRefusal } from '../config/address-guard.js';
import {
  acceptResponse,
  acceptFile,
  malformed,
  parseResponse,
  readBody,
  type RawResponse,
  type WechatFile,
} from './wechat-response.js';
import { CircuitBreaker, openConnection, reachable } from './connection.js';
import { resolveWechatEndpoints, type WechatEndpoints } from '../config/endpoints.js';
import { requirePath, type WechatCall, type WechatCallLimits, type WechatReading } from './wechat-call.js';
import { gatewayError, isTransient, networkReason, unavailable, WechatError } from './wechat-error.js';

/** One attempt at a call, for metrics. `outcome` is `ok` or the code of the error; nothing here is a secret. */
export interface WechatCallReport {
  readonly endpoint: string;
  /** The app whose secret the call carried; undefined for a call with a token. */
  readonly appid: string | undefined;
  readonly outcome: 'ok' | IamErrorCode;
  readonly errcode: number | undefined;
  readonly durationMs: number;
}

/** How calls to WeChat are made. */
export interface WechatHttpOptions {
  readonly endpoints?: Partial<WechatEndpoints> | undefined;
  /** Lets the endpoints be this machine, over http too: for the emulator and tests. @default false */
  readonly allowLoopback?: boolean | undefined;
  /** Lets the endpoints be hosts of a private network, over http too. @default false */
  readonly allowPrivateEndpoints?: boolean | undefined;
  /** A proxy's URL, or `environment` for HTTPS_PROXY, HTTP_PROXY and NO_PROXY. @default none */
  readonly proxy?: Secret | string | undefined;
  /** Milliseconds for a call from the first byte sent to the last byte read, retries included. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Bytes of a response that are read at most; a profile with a 1 MB nickname still fits. @default 2 MiB */
  readonly maxBytes?: number | undefined;
  /** Measures how long a call takes. @default a clock of its own */
  readonly clock?: Pick<Clock, 'elapsed'> | undefined;
  /** Called after every attempt; it must not throw. */
  readonly onCall?: ((report: WechatCallReport) => void) | undefined;
}

/** A name that takes longer to resolve here is left to the proxy. */
const LOOKUP_MS = 1_000;

/** How the response to one kind of call is read. */
interface Reading<T> {
  readonly endsAt: number;
  readonly maxBytes: number;
  readonly mediaType: string;
  readonly accept: (response: RawResponse) => T;
}

/** Calls WeChat: https to public addresses only, no redirects, one deadline and a size limit per call. */
export class WechatHttp {
  readonly endpoints: WechatEndpoints;
  private isOpen = true;
  private connection: Promise<Dispatcher> | undefined;
  private readonly lookup: LookupFunction;
  private readonly proxy: Secret | string | undefined;
  private readonly timeoutMs: number;
  private readonly maxBytes: number;
  private readonly onCall: (report: WechatCallReport) => void;
  private readonly clock: Pick<Clock, 'elapsed'>;
  private readonly breaker = new CircuitBreaker({
    failures: 10,
    openMs: 5_000,
    now: () => this.clock.elapsed(),
  });

  constructor(options: WechatHttpOptions = {}) {
    const allowLoopback = options.allowLoopback ?? false;
    this.endpoints = resolveWechatEndpoints(options.endpoints, {
      allowLoopback,
      allowPrivateEndpoints: options.allowPrivateEndpoints,
    });
    this.timeoutMs = options.timeoutMs ?? 5000;
    this.maxBytes = options.maxBytes ?? 2 * 1024 * 1024;
    this.clock = options.clock ?? new Clock();
    this.onCall = options.onCall ?? (() => undefined);
    this.lookup = guardedLookup(allowLoopback, reachable(this.endpoints.api, options.allowPrivateEndpoints));
    this.proxy = options.proxy;
  }

  /**
   * Makes the call and returns the output of the schema; every failure is a `WechatError`.
   * @throws TypeError when `path` is no path: the query, with its token, would go to another host
   */
  async call<T>(call: WechatCall, schema: z.ZodType<T>, reading: WechatReading<T> = {}): Promise<T> {
    return this.run(call, {
      ...this.limitsOf(reading),
      mediaType: 'application/json',
      accept: ({ body }) => {
        const response = acceptResponse(call.path, parseResponse(call.path, body), schema);
        const foreign = reading.foreignField?.(response);
        if (foreign !== undefined) throw malformed(call.path, [foreign]);
        return response;
      },
    });
  }

  /** As `call`, for a response that is a file; JSON in its place is a `WechatError`. */
  async download(call: WechatCall, limits: WechatCallLimits = {}): Promise<WechatFile> {
    return this.run(call, {
      ...this.limitsOf(limits),
      mediaType: '*/*',
      accept: (response) => acceptFile(call.path, response),
    });
  }

  /** Connects by the proxy; the first call does it otherwise. @throws TypeError when the setting cannot be one */
  connect(): Promise<Dispatcher> {
    return (this.connection ??= openConnection(this.proxy, this.lookup));
  }

  /** False while calls are refused because WeChat did not respond. */
  get isAvailable(): boolean {
    return this.breaker.isClosed;
  }

  /** Ends when the calls under way have ended; later calls fail. */
  async close(): Promise<void> {
    this.isOpen = false;
    // What could not be opened has failed the start, or a call, with its reason.
    await this.connection?.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }

  private limitsOf({ timeoutMs = this.timeoutMs, maxBytes = this.maxBytes }: WechatCallLimits) {
    return { endsAt: this.clock.elapsed() + timeoutMs, maxBytes };
  }

  private async run<T>(call: WechatCall, reading: Reading<T>): Promise<T> {
    requirePath(call);
    try {
      return await this.attempt(call, reading);
    } catch (error) {
      const pauseMs = randomInt(50, 200);
      const hopeless = this.clock.elapsed() + pauseMs >= reading.endsAt;
      if (call.repeatable !== true || !isTransient(error) || hopeless) throw error;
      await pause(pauseMs);
      return await this.attempt(call, reading);
    }
  }

  private async attempt<T>(call: WechatCall, reading: Reading<T>): Promise<T> {
    const startedAt = this.clock.elapsed();
    const report = (outcome: WechatCallReport['outcome'], errcode?: number) => {
      const durationMs = this.clock.elapsed() - startedAt;
      this.onCall({ endpoint: call.path, appid: call.appid, outcome, errcode, durationMs });
    };
    try {
      this.requireAvailable(call.path);
      const response = reading.accept(await this.send(call, reading, reading.endsAt - startedAt));
      report('ok');
      return response;
    } catch (error) {
      report(
        error instanceof IamError ? error.code : 'internal_error',
        error instanceof WechatError ? error.errcode : undefined,
      );
      throw error;
    }
  }

  /** After ten calls in a row without a response WeChat gets some seconds of rest. */
  private requireAvailable(endpoint: string): void {
    if (!this.isOpen) throw unavailable(endpoint, 'not called: the application is stopping');
    const wait = this.breaker.enter();
    if (wait === null) return;
    throw new WechatError('wechat_unavailable', 'not called: it has not responded for a while', {
      endpoint,
      action: 'retry',
      retryAfterSeconds: Math.ceil(wait / 1000),
    });
  }

  private async send(
    call: WechatCall,
    reading: Reading<unknown>,
    milliseconds: number,
  ): Promise<RawResponse> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), milliseconds);
    try {
      const { status, ...response } = await this.exchange(call, reading, deadline.signal);
      if (status < 200 || status > 299) throw gatewayError(call.path, status);
      this.breaker.succeeded();
      return response;
    } catch (error) {
      if (error instanceof WechatError) {
        this.breaker.succeeded();
        throw error;
      }
      this.breaker.failed();
      // The cause is left out on purpose: an HTTP client's error may carry the URL or the bytes of the response.
      throw unavailable(call.path, deadline.signal.aborted ? 'no response in time' : networkReason(error));
    } finally {
      clearTimeout(timer);
    }
  }

  private async exchange(
    call: WechatCall,
    { mediaType, maxBytes }: Reading<unknown>,
    signal: AbortSignal,
  ): Promise<RawResponse & { readonly status: number }> {
    const query = new URLSearchParams(call.query);
    if (this.proxy !== undefined) await this.checkBeforeProxy();
    const connection = await this.connect();
    const url = new URL(`${this.endpoints.api}${call.path}?${query.toString()}`);
    const response = await connection.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      signal,
      method: call.body === undefined && call.form === undefined ? 'GET' : 'POST',
      // undici names the type of a form itself, with its boundary.
      headers: { accept: mediaType, ...(call.form === undefined && { 'content-type': 'application/json' }) },
      body: call.form ?? (call.body === undefined ? null : JSON.stringify(call.body)),
    });
    const { 'content-type': contentType, 'content-disposition': disposition } = response.headers;
    const body = await readBody(call.path, response.body, maxBytes);
    return {
      status: response.statusCode,
      body,
      contentType: [contentType].flat()[0],
      disposition: [disposition].flat()[0],
    };
  }

  /** A proxy resolves the name itself. The addresses found here must be allowed too; a name that only the proxy knows passes. */
  private async checkBeforeProxy(): Promise<void> {
    const refusal = await Promise.race([
      lookupRefusal(new URL(this.endpoints.api).hostname, this.lookup),
      pause(LOOKUP_MS, null, { ref: false }),
    ]);
    if (refusal !== null) throw refusal;
  }
}
