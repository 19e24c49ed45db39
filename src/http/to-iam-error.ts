import { HttpException } from '@nestjs/common';
import {
  isDatabaseUnavailable,
  isForeignKeyViolation,
  isOwnReference,
  isReadOnly,
  isTransient,
  isUniqueViolation,
  isUnstorableValue,
  violatedConstraint,
} from '../database/database-errors.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';

const byStatus: Readonly<Record<number, IamErrorCode>> = {
  401: 'authentication_required',
  403: 'insufficient_permissions',
  404: 'not_found',
  413: 'payload_too_large',
  429: 'rate_limited',
};

/**
 * Whatever was thrown, as one of our codes; what nobody foresaw becomes `internal_error` with its cause. `hostGuards` are the
 * guards that Nest does not name when one of them admits nobody.
 */
export function toIamError(thrown: unknown, hostGuards: readonly string[] = []): IamError {
  if (thrown instanceof IamError) return thrown;
  if (isDatabaseUnavailable(thrown) || isTransient(thrown)) {
    const detail = isReadOnly(thrown) ? 'PostgreSQL is read-only: a standby?' : 'PostgreSQL did not answer';
    return new IamError('database_unavailable', detail, {
      cause: thrown,
      retryAfterSeconds: 1,
    });
  }
  if (isUnstorableValue(thrown))
    return new IamError('invalid_request', 'a value that PostgreSQL cannot hold', { cause: thrown });
  if (isUniqueViolation(thrown))
    return new IamError('already_exists', `another row has it: ${violatedConstraint(thrown) ?? 'unnamed'}`, {
      cause: thrown,
    });
  if (isForeignKeyViolation(thrown)) return fromReference(thrown);
  if (thrown instanceof HttpException) return fromHttpException(thrown, hostGuards);
  if (isClientError(thrown)) return fromStatus(thrown.status, thrown, thrown.message);
  return new IamError('internal_error', 'unexpected error', { cause: thrown });
}

/** Our rows refer to what was there a moment ago; a host's rows keep what would go. */
function fromReference(cause: unknown): IamError {
  const constraint = violatedConstraint(cause) ?? 'unnamed';
  if (isOwnReference(cause))
    return new IamError('not_found', `what it refers to is no longer there: ${constraint}`, { cause });
  return new IamError('in_use', `a table of the host refers to it: ${constraint}`, { cause });
}

/** What Express and its body parsers throw: an ordinary error with the status that it calls for. */
export function isClientError(thrown: unknown): thrown is Error & { readonly status: number } {
  if (!(thrown instanceof Error) || !('status' in thrown) || thrown instanceof HttpException) return false;
  return typeof thrown.status === 'number' && thrown.status >= 400 && thrown.status < 500;
}

function fromHttpException(thrown: HttpException, hostGuards: readonly string[]): IamError {
  if (thrown.cause instanceof IamError) return thrown.cause;
  return fromStatus(
    thrown.getStatus(),
    thrown,
    `${thrown.name} "${thrown.message}" ${sourceOf(thrown, hostGuards)}`,
  );
}

/** None of our code throws Nest's exceptions by itself: without this the log would not say what of the host's did. */
function sourceOf({ stack = '' }: Error, hostGuards: readonly string[]): string {
  const [source = ''] = stack.split('\n').filter((line) => /^\s+at /.test(line));
  if (!/[\\/]@nestjs[\\/]core[\\/]/.test(source)) return `of the application, ${source.trim()}`;
  return `of the application; its global guards: ${hostGuards.join(', ') || 'none'}`;
}

function fromStatus(status: number, cause: Error, detail: string): IamError {
  const code = byStatus[status] ?? (status < 500 ? 'invalid_request' : 'internal_error');
  return new IamError(code, detail, { cause });
}

/** By what code a try failed: somebody who is yet to be bound has proved who they are. */
export function failureOf(thrown: unknown): IamErrorCode | null {
  const { code } = toIamError(thrown);
  return code === 'binding_required' ? null : code;
}
