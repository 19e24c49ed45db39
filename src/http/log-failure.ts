import type { Logger } from '@nestjs/common';
import { errorCatalogue, type IamError } from '../iam.error.js';

/**
 * Logs a failure once: what the caller did as a warning of one line, what we or WeChat did with a stack. Errors of
 * drivers are not logged as objects: those carry statements and their parameters.
 */
export function logFailure(logger: Logger, error: IamError, label: string): void {
  const line = `${label} ${error.message}`;
  if (errorCatalogue[error.code].status < 500) logger.warn(line);
  else logger.error(line, error.cause instanceof Error ? error.cause.stack : error.stack);
}
