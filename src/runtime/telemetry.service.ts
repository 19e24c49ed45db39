import { Injectable } from '@nestjs/common';
import {
  type Counter,
  metrics,
  type ObservableGauge,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
} from '@opentelemetry/api';
import { Clock } from './clock.js';
import { type IamErrorCode, errorCatalogue, IamError } from '../errors/iam.error.js';

/** The name under which our spans and metrics appear. */
const INSTRUMENTATION = 'nestjs-wechat-iam';

/** A way of signing in at one provider row. */
interface SignInMethod {
  readonly provider: string;
  readonly method: string;
}

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

/**
 * The module's metrics and spans, by the host's OpenTelemetry. Attributes have few values: slugs, methods, error codes, paths of
 * WeChat's API. The host must register its SDK before it creates the application.
 */
@Injectable()
export class Telemetry {
  private readonly meter = metrics.getMeter(INSTRUMENTATION);
  private readonly signIns = this.counter(
    'iam.sign_ins',
    'Sign-ins that ended: `session`, or the error code',
  );
  private readonly refreshes = this.counter(
    'iam.refreshes',
    'Refresh tokens handed in: `rotated`, `repeated` within the grace, `reused` or `refused`',
  );
  private readonly calls = this.meter.createHistogram('iam.wechat.call.duration', {
    description: 'Attempts at calls to WeChat',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  private readonly events = this.counter(
    'iam.webhook.events',
    "WeChat's pushes, and what became of those with handlers",
  );
  private readonly withdrawals = this.counter(
    'iam.webhook.unknown_withdrawals',
    'Withdrawals of WeChat that name something unknown, or nobody: nothing was done',
  );
  private readonly limited = this.counter('iam.rate_limited', 'Requests that a rate limit refused');

  constructor(private readonly clock: Clock) {}

  /** A claimed sign-in ended: with a session, or with an error. */
  signInEnded({ provider, method }: SignInMethod, outcome: 'session' | IamErrorCode): void {
    this.signIns.add(1, { 'iam.provider': provider, 'iam.method': method, 'iam.outcome': outcome });
  }

  refreshed(outcome: 'rotated' | 'repeated' | 'reused' | 'refused'): void {
    this.refreshes.add(1, { 'iam.outcome': outcome });
  }

  webhookEvent(provider: string, outcome: WebhookOutcome): void {
    this.events.add(1, { 'iam.provider': provider, 'iam.outcome': outcome });
  }

  /** WeChat withdrew a permission that is unknown here. */
  unknownWithdrawal(provider: string): void {
    this.withdrawals.add(1, { 'iam.provider': provider });
  }

  rateLimited(limit: string): void {
    this.limited.add(1, { 'iam.limit': limit });
  }

  /** Called when the attempt has ended: its span begins in the past. */
  wechatCall({ endpoint, outcome, errcode, durationMs }: MeasuredCall): void {
    const attributes = {
      'iam.wechat.endpoint': endpoint,
      'iam.outcome': outcome,
      ...(errcode !== undefined && { 'iam.wechat.errcode': errcode }),
    };
    this.calls.record(durationMs / 1000, attributes);
    const startTime = this.clock.system() - durationMs;
    const span = trace
      .getTracer(INSTRUMENTATION)
      .startSpan(`wechat ${endpoint}`, { kind: SpanKind.CLIENT, attributes, startTime });
    if (outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
    span.end();
  }

  /** A value that is read when the host exports. */
  gauge(name: string, description: string, unit: string): ObservableGauge {
    return this.meter.createObservableGauge(name, { description, unit });
  }

  private counter(name: string, description: string): Counter {
    return this.meter.createCounter(name, { description });
  }
}

/**
 * Runs `work` in a span, which costs nothing where the host has no tracing. Attributes are words of ours: never a value of a
 * request, an openid, a code or a query. An error appears by its code alone, since its message is for the log.
 */
export async function inSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
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
  trace.getActiveSpan()?.setAttributes(attributes);
}
