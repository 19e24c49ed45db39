import { errorCatalogue, type IamError, type IamErrorCode } from '../errors/iam.error.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { json, type IamResponse } from './iam-response.js';
import { errorPage, type ErrorPageInput } from './error-page.js';
import type { OAuthEndpoint } from './endpoint.decorator.js';
import type { Language } from './user-agent.js';
import type { IamLogger } from '../runtime/iam-logger.js';

/** RFC 9457 with our stable `code` and a text that is safe to show. */
export function problemBody(error: IamError, language: Language): Record<string, string | number> {
  const { status } = errorCatalogue[error.code];
  return {
    type: 'about:blank',
    title: errorTexts[error.code][language],
    status,
    code: error.code,
    ...error.members,
  };
}

/** `problemBody` as a response; the correlation id leads to the log, which alone has the details. */
export function problem(error: IamError, language: Language, correlationId: string): IamResponse {
  return json(
    { ...problemBody(error, language), correlation_id: correlationId },
    errorCatalogue[error.code].status,
    { 'Content-Type': 'application/problem+json; charset=utf-8', ...errorHeaders(error) },
  );
}

/** RFC 6749 §5.2: 400 for errors of the request, 401 for the client itself; other failures keep their status. */
export function oauthStatus(code: IamErrorCode): number {
  const { status } = errorCatalogue[code];
  const isKept = status >= 500 || [401, 413, 429].includes(status) || code === 'origin_forbidden';
  return isKept ? status : 400;
}

/** The body of RFC 6749 §5.2; `code` is our stable code. */
export function oauthError(error: IamError, endpoint: OAuthEndpoint): IamResponse {
  const { code, members } = error;
  const body = {
    error: oauthErrorOf(code, endpoint),
    error_description: errorTexts[code].en,
    code,
    ...members,
  };
  return json(body, oauthStatus(code), errorHeaders(error));
}

/**
 * The error codes of a token endpoint: RFC 6749 §5.2, RFC 7009 §2.2.1, RFC 8628 §3.5; `interaction_required` of OpenID Connect Core §3.1.2.6 and
 * `binding_required` of ours, which clients act upon; the last two with a status of 5xx.
 */
const tokenErrors: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_token_type',
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
  'interaction_required',
  'binding_required',
  'temporarily_unavailable',
  'server_error',
]);

/** The value of `error` for a code of ours. At `/token`, `/revoke` and `/introspect` only registered ones, which generic clients know. */
export function oauthErrorOf(code: IamErrorCode, endpoint: OAuthEndpoint): string {
  const { oauth, status } = errorCatalogue[code];
  if (endpoint === 'device_authorization' || endpoint === 'par' || tokenErrors.has(oauth)) return oauth;
  if (status === 409) return 'invalid_grant';
  return status === 403 ? 'access_denied' : 'invalid_request';
}

/** For a navigation a small page, for a script problem+json. */
export function pageOrProblem(error: IamError, context: Omit<ErrorPageInput, 'code'>): IamResponse {
  const { request, correlationId } = context;
  if (!request.wantsPage) return problem(error, request.language, correlationId);
  const page = errorPage({ ...context, code: error.code });
  return { ...page, headers: { ...page.headers, ...errorHeaders(error) } };
}

/** `Retry-After` and `WWW-Authenticate`, where the error calls for them; for an API with metadata, with its address (RFC 9728 §5.1). */
export function errorHeaders(error: IamError, metadata?: string): Record<string, string> {
  const { status } = errorCatalogue[error.code];
  return {
    ...(error.retryAfterSeconds !== undefined && { 'Retry-After': String(error.retryAfterSeconds) }),
    ...((status === 401 || error.code === 'insufficient_scope') && {
      'WWW-Authenticate': withMetadata(challenge(error), metadata),
    }),
  };
}

function withMetadata(text: string, metadata: string | undefined): string {
  if (metadata === undefined) return text;
  return `${text}${text.includes('=') ? ',' : ''} resource_metadata="${metadata}"`;
}

/** RFC 6750 §3: no error code when the request carried no token at all; `max_age` of RFC 9470 §3. */
function challenge(error: IamError): string {
  const { oauth } = errorCatalogue[error.code];
  // A client authenticates by RFC 7617, a caller by RFC 6750: a Bearer challenge would ask for a token (RFC 6749 §5.2).
  if (error.code === 'invalid_client') return 'Basic realm="iam"';
  if (error.code === 'authentication_required') return 'Bearer';
  const named = ['scope', 'max_age'].filter((name) => error.members[name] !== undefined);
  return [`Bearer error="${oauth}"`, ...named.map((name) => `${name}="${error.members[name]}"`)].join(', ');
}

/** The usual responses to a polling client (RFC 8628 §3.5), which are not logged. */
const routine: ReadonlySet<IamErrorCode> = new Set(['authorization_pending', 'slow_down']);

/**
 * Logs a failure once: an error of the caller as a warning of one line, one of ours or WeChat's with a stack. A driver's
 * error is not logged as an object, because it carries the statement and its parameters.
 */
export function logFailure(logger: IamLogger, error: IamError, label = ''): void {
  if (routine.has(error.code)) return;
  const line = label === '' ? error.message : `${label} ${error.message}`;
  if (errorCatalogue[error.code].status < 500) logger.warn(line);
  else logger.error(line, error.cause instanceof Error ? error.cause.stack : error.stack);
}
