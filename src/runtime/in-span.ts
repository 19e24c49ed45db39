import { type Attributes, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorCatalogue, IamError } from '../errors/iam.error.js';
import { INSTRUMENTATION } from './instrumentation.js';

/**
 * Runs `work` in a span, which costs nothing where the host has no tracing. Attributes are words of ours: never a value of a
 * request, an openid, a code or a query. An error is told by its code alone, since its message is for the log.
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

/** Adds what became of the work to the span that it runs in. */
export function setSpanAttributes(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}
