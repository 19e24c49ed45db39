import { HttpException } from '@nestjs/common';
import {
  isDatabaseUnavailable,
  isForeignKeyViolation,
  isOwnReference,
  isPermissionDenied,
  isReadOnly,
  isSchemaOutdated,
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

/** An operator who grants a permission or runs a migration takes longer than PostgreSQL to come back. */
const OPERATOR_SECONDS = 30;

/**
 * Any thrown value as one of our codes; an unexpected one becomes `internal_error` with its cause. `hostGuards` are named in
 * the log, because Nest does not say which guard has refused.
 */
export function toIamError(thrown: unknown, hostGuards: readonly string[] = []): IamError {
  if (thrown instanceof IamError) return thrown;
  if (isDatabaseUnavailable(thrown) || isTransient(thrown)) {
    const detail = isReadOnly(thrown) ? 'PostgreSQL is read-only: a standby?' : 'PostgreSQL did not answer';
    return new IamError('database_unavailable', detail, { cause: thrown, retryAfterSeconds: 1 });
  }
  // Neither the request nor the code is wrong, and the request succeeds once the operator has acted.
  if (isPermissionDenied(thrown) || isSchemaOutdated(thrown)) {
    const detail = isPermissionDenied(thrown)
      ? 'the role of the connection lacks a permission: IamHealth names the grants'
      : 'the schema lacks what a statement needs: have the migrations run?';
    return new IamError('database_unavailable', detail, {
      cause: thrown,
      retryAfterSeconds: OPERATOR_SECONDS,
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

/** Either our row refers to one that is gone, or a host's row refers to one that shall go. */
function fromReference(cause: unknown): IamError {
  const constraint = violatedConstraint(cause) ?? 'unnamed';
  if (isOwnReference(cause))
    return new IamError('not_found', `what it refers to is no longer there: ${constraint}`, { cause });
  return new IamError('in_use', `a table of the host refers to it: ${constraint}`, { cause });
}

/** An error of Express or its body parsers, which carries its status. */
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

/** Our code throws no exceptions of Nest itself: without this the log would not name the host's code that did. */
function sourceOf({ stack = '' }: Error, hostGuards: readonly string[]): string {
  const [source = ''] = stack.split('\n').filter((line) => /^\s+at /.test(line));
  if (!/[\\/]@nestjs[\\/]core[\\/]/.test(source)) return `of the application, ${source.trim()}`;
  return `of the application; its global guards: ${hostGuards.join(', ') || 'none'}`;
}

function fromStatus(status: number, cause: Error, detail: string): IamError {
  const code = byStatus[status] ?? (status < 500 ? 'invalid_request' : 'internal_error');
  return new IamError(code, detail, { cause });
}

/** The code by which an attempt failed. Null for `binding_required`: that person has proved who they are. */
export function failureOf(thrown: unknown): IamErrorCode | null {
  const { code } = toIamError(thrown);
  return code === 'binding_required' ? null : code;
}
