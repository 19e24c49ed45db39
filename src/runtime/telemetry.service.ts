import { type FactoryProvider, Inject, Injectable } from '@nestjs/common';
import type { Attributes, Counter, Histogram, Meter, ObservableGauge } from '@opentelemetry/api';
import { Clock } from './clock.js';
import { type IamErrorCode, errorCatalogue, IamError } from '../errors/iam.error.js';

/** The name under which our spans and metrics appear. */
const INSTRUMENTATION = 'nestjs-wechat-iam';

/** One attempt at a call to WeChat. */
interface MeasuredCall {
  /** The path alone. */
  readonly endpoint: string;
  readonly outcome: 'ok' | IamErrorCode;
  readonly errcode: number | undefined;
  readonly durationMs: number;
}

/** The outcome of a webhook event: `accepted` or `refused` at the endpoint, the others in its handlers. */
type WebhookOutcome = 'accepted' | 'refused' | 'done' | 'failed' | 'dead';

/** Here every 1.x of the API finds what another copy of it has registered. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

let api: typeof import('@opentelemetry/api') | undefined;

/** The API, once an SDK has registered itself: it is forty files, and without an SDK all of them do nothing. */
async function findApi(): Promise<typeof api> {
  if (REGISTERED in globalThis) api ??= await import('@opentelemetry/api');
  return api;
}

const METER = Symbol('METER');

/** The meter of the host's SDK; undefined without one. */
export const meterProvider: FactoryProvider<Meter | undefined> = {
  provide: METER,
  useFactory: async () => (await findApi())?.metrics.getMeter(INSTRUMENTATION),
};

/**
 * The module's metrics and spans, by the host's OpenTelemetry. Attributes have few values: slugs, methods, error codes, paths of
 * WeChat's API. The host must register its SDK before it creates the application.
 */
@Injectable()
export class Telemetry {
  private readonly signIns: Counter | undefined;
  private readonly refreshes: Counter | undefined;
  private readonly calls: Histogram | undefined;
  private readonly events: Counter | undefined;
  private readonly withdrawals: Counter | undefined;
  private readonly limited: Counter | undefined;

  constructor(
    private readonly clock: Clock,
    @Inject(METER) private readonly meter: Meter | undefined,
  ) {
    this.signIns = this.counter('iam.sign_ins', 'Sign-ins that ended: `session`, or the error code');
    this.refreshes = this.counter(
      'iam.refreshes',
      'Refresh tokens handed in: `rotated`, `repeated` within the grace, `reused` or `refused`',
    );
    this.calls = this.meter?.createHistogram('iam.wechat.call.duration', {
      description: 'Attempts at calls to WeChat',
      unit: 's',
      advice: { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
    });
    this.events = this.counter(
      'iam.webhook.events',
      "WeChat's pushes, and what became of those with handlers",
    );
    this.withdrawals = this.counter(
      'iam.webhook.unknown_withdrawals',
      'Withdrawals of WeChat that name something unknown, or nobody: nothing was done',
    );
    this.limited = this.counter('iam.rate_limited', 'Requests that a rate limit refused');
  }

  /** A claimed sign-in ended: with a session, or with an error. */
  signInEnded(
    { provider, method }: { readonly provider: string; readonly method: string },
    outcome: 'session' | IamErrorCode,
  ): void {
    this.signIns?.add(1, { 'iam.provider': provider, 'iam.method': method, 'iam.outcome': outcome });
  }

  refreshed(outcome: 'rotated' | 'repeated' | 'reused' | 'refused'): void {
    this.refreshes?.add(1, { 'iam.outcome': outcome });
  }

  webhookEvent(provider: string, outcome: WebhookOutcome): void {
    this.events?.add(1, { 'iam.provider': provider, 'iam.outcome': outcome });
  }

  /** WeChat withdrew a permission that is unknown here. */
  unknownWithdrawal(provider: string): void {
    this.withdrawals?.add(1, { 'iam.provider': provider });
  }

  rateLimited(limit: string): void {
    this.limited?.add(1, { 'iam.limit': limit });
  }

  /** Called when the attempt has ended: its span begins in the past. */
  wechatCall({ endpoint, outcome, errcode, durationMs }: MeasuredCall): void {
    const attributes = {
      'iam.wechat.endpoint': endpoint,
      'iam.outcome': outcome,
      ...(errcode !== undefined && { 'iam.wechat.errcode': errcode }),
    };
    this.calls?.record(durationMs / 1000, attributes);
    if (api === undefined) return;
    const startTime = this.clock.system() - durationMs;
    const span = api.trace
      .getTracer(INSTRUMENTATION)
      .startSpan(`wechat ${endpoint}`, { kind: api.SpanKind.CLIENT, attributes, startTime });
    if (outcome !== 'ok') span.setStatus({ code: api.SpanStatusCode.ERROR, message: outcome });
    span.end();
  }

  /** A value that is read when the host exports. */
  gauge(name: string, description: string, unit: string): ObservableGauge | undefined {
    return this.meter?.createObservableGauge(name, { description, unit });
  }

  private counter(name: string, description: string): Counter | undefined {
    return this.meter?.createCounter(name, { description });
  }
}

/**
 * Runs `work` in a span, which costs nothing where the host has no tracing. Attributes are words of ours: never a value of a
 * request, an openid, a code or a query. An error appears by its code alone, since its message is for the log.
 */
export async function inSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const registered = await findApi();
  if (registered === undefined) return work();
  const { trace, SpanStatusCode } = registered;
  return trace.getTracer(INSTRUMENTATION).startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof IamError ? error.code : 'internal_error';
      span.setAttribute('error.type', code);
      if (errorCatalogue[code].status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Adds attributes of the outcome to the current span. */
export function setSpanAttributes(attributes: Attributes): void {
  api?.trace.getActiveSpan()?.setAttributes(attributes);
}
