import type { IamLogger } from '../runtime/iam-logger.js';
import { errorCatalogue, type IamError, type IamErrorCode } from '../errors/iam.error.js';

/** What a polling client is told all the time (RFC 8628 §3.5): no failure of anybody. */
const routine: ReadonlySet<IamErrorCode> = new Set(['authorization_pending', 'slow_down']);

/**
 * Logs a failure once: what the caller did as a warning of one line, what we or WeChat did with a stack. Errors of
 * drivers are not logged as objects: those carry statements and their parameters.
 */
export function logFailure(logger: IamLogger, error: IamError, label = ''): void {
  if (routine.has(error.code)) return;
  const line = label === '' ? error.message : `${label} ${error.message}`;
  if (errorCatalogue[error.code].status < 500) logger.warn(line);
  else logger.error(line, error.cause instanceof Error ? error.cause.stack : error.stack);
}
