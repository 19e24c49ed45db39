import { Logger } from '@nestjs/common';
import { oneLine } from '../errors/unknown.js';
import { currentContext } from './request-context.js';

/**
 * Nest's logger for the module's lines: one line each, and those about a request end in `correlation_id=<uuid>`, which its
 * error response, its `X-Request-Id` and its audit entries carry too. Personal data (openid, unionid, nickname, address,
 * phone number) belongs into the audit log and never into a line.
 */
export class IamLogger {
  private readonly logger: Logger;

  constructor(context: string) {
    this.logger = new Logger(context);
  }

  log(text: string): void {
    this.logger.log(withCorrelation(text));
  }

  warn(text: string): void {
    this.logger.warn(withCorrelation(text));
  }

  /** The stack follows on its own lines. */
  error(text: string, stack?: string): void {
    if (stack === undefined) this.logger.error(withCorrelation(text));
    else this.logger.error(withCorrelation(text), stack);
  }
}

function withCorrelation(text: string): string {
  const context = currentContext();
  const line = oneLine(text);
  return context === null ? line : `${line} correlation_id=${context.correlationId}`;
}
