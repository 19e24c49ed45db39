import { errorCatalogue, type IamError, type IamErrorCode } from '../iam.error.js';
import { errorTexts } from '../iam.error-texts.js';
import { json, type Answer } from './answer.js';
import { errorPage } from './error-page.js';
import type { IamRequest } from './iam-request.js';
import type { Language } from './language.js';

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

/** `problemBody` as an answer; the correlation id leads to the log, which alone has the details. */
export function problem(error: IamError, language: Language, correlationId: string): Answer {
  return json(
    { ...problemBody(error, language), correlation_id: correlationId },
    errorCatalogue[error.code].status,
    {
      'Content-Type': 'application/problem+json; charset=utf-8',
      ...errorHeaders(error),
    },
  );
}

/** RFC 6749 §5.2: 400 for what the client did, 401 for the client itself; what never came to that keeps its own status. */
export function oauthStatus(code: IamErrorCode): number {
  const { status } = errorCatalogue[code];
  const isKept = status >= 500 || [401, 413, 429].includes(status) || code === 'origin_forbidden';
  return isKept ? status : 400;
}

/** The body of RFC 6749 §5.2. */
export function oauthError(error: IamError): Answer {
  const { oauth } = errorCatalogue[error.code];
  const body = { error: oauth, error_description: errorTexts[error.code].en, ...error.members };
  return json(body, oauthStatus(error.code), errorHeaders(error));
}

/** For a navigation a small page, for a script problem+json. */
export function pageOrProblem(error: IamError, request: IamRequest, correlationId: string): Answer {
  if (!request.wantsPage) return problem(error, request.language, correlationId);
  const page = errorPage(error.code, request.language, correlationId);
  return { ...page, headers: { ...page.headers, ...errorHeaders(error) } };
}

/** `Retry-After` and `WWW-Authenticate`, where the error calls for them. */
export function errorHeaders(error: IamError): Record<string, string> {
  const { status } = errorCatalogue[error.code];
  return {
    ...(error.retryAfterSeconds !== undefined && { 'Retry-After': String(error.retryAfterSeconds) }),
    ...(status === 401 && { 'WWW-Authenticate': challenge(error) }),
  };
}

/** RFC 6750 §3: no error code when the request carried no token at all; `max_age` of RFC 9470 §3. */
function challenge(error: IamError): string {
  const { oauth } = errorCatalogue[error.code];
  if (error.code === 'authentication_required' || error.code === 'invalid_client') return 'Bearer';
  const maxAge = error.members['max_age'];
  return `Bearer error="${oauth}"${maxAge === undefined ? '' : `, max_age="${maxAge}"`}`;
}
