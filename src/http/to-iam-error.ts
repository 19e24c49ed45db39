import { HttpException } from '@nestjs/common';
import { isDatabaseUnavailable } from '../database/database-errors.js';
import { IamError, type IamErrorCode } from '../iam.error.js';

const byStatus: Readonly<Record<number, IamErrorCode>> = {
  401: 'authentication_required',
  403: 'insufficient_permissions',
  404: 'not_found',
  413: 'payload_too_large',
  429: 'rate_limited',
};

/** Whatever was thrown, as one of our codes; what nobody foresaw becomes `internal_error` with its cause. */
export function toIamError(thrown: unknown): IamError {
  if (thrown instanceof IamError) return thrown;
  if (isDatabaseUnavailable(thrown)) {
    return new IamError('database_unavailable', 'PostgreSQL did not answer', {
      cause: thrown,
      retryAfterSeconds: 1,
    });
  }
  if (thrown instanceof HttpException) return fromHttpException(thrown);
  return new IamError('internal_error', 'unexpected error', { cause: thrown });
}

function fromHttpException(thrown: HttpException): IamError {
  if (thrown.cause instanceof IamError) return thrown.cause;
  const status = thrown.getStatus();
  const code = byStatus[status] ?? (status < 500 ? 'invalid_request' : 'internal_error');
  return new IamError(code, thrown.message, { cause: thrown });
}
