import { oneLine } from './unknown.js';

/** The response to a code: the HTTP status, and `error` on OAuth endpoints and redirects. */
interface IamErrorEntry {
  readonly status: number;
  /** The RFC 6749 / 6750 / 8628 code where there is one, else a code of ours that front-ends act on. */
  readonly oauth: string;
}

/** Every failure a caller can see. Codes are stable; the safe texts per code are in `iam.error-texts.ts`. */
export const errorCatalogue = {
  // The request
  invalid_request: { status: 400, oauth: 'invalid_request' },
  payload_too_large: { status: 413, oauth: 'invalid_request' },
  request_too_slow: { status: 408, oauth: 'invalid_request' },
  content_encoding_unsupported: { status: 415, oauth: 'invalid_request' },
  not_found: { status: 404, oauth: 'invalid_request' },
  rate_limited: { status: 429, oauth: 'slow_down' },
  origin_forbidden: { status: 403, oauth: 'access_denied' },
  precondition_required: { status: 428, oauth: 'invalid_request' },
  precondition_failed: { status: 412, oauth: 'invalid_request' },
  already_exists: { status: 409, oauth: 'invalid_request' },
  provider_keys_differ: { status: 409, oauth: 'invalid_request' },
  in_use: { status: 409, oauth: 'invalid_request' },
  event_done: { status: 409, oauth: 'invalid_request' },

  // The client application
  client_unknown: { status: 400, oauth: 'invalid_client' },
  redirect_uri_mismatch: { status: 400, oauth: 'invalid_request' },
  client_disabled: { status: 400, oauth: 'unauthorized_client' },
  unauthorized_client: { status: 400, oauth: 'unauthorized_client' },
  invalid_client: { status: 401, oauth: 'invalid_client' },
  invalid_grant: { status: 400, oauth: 'invalid_grant' },
  invalid_target: { status: 400, oauth: 'invalid_target' },
  invalid_scope: { status: 400, oauth: 'invalid_scope' },
  unsupported_grant_type: { status: 400, oauth: 'unsupported_grant_type' },
  invalid_request_uri: { status: 400, oauth: 'invalid_request_uri' },
  unsupported_token_type: { status: 400, oauth: 'unsupported_token_type' },
  unsupported_response_type: { status: 400, oauth: 'unsupported_response_type' },
  request_not_supported: { status: 400, oauth: 'request_not_supported' },

  // The caller's session
  authentication_required: { status: 401, oauth: 'invalid_token' },
  invalid_token: { status: 401, oauth: 'invalid_token' },
  insufficient_permissions: { status: 403, oauth: 'insufficient_scope' },
  first_party_required: { status: 403, oauth: 'insufficient_scope' },
  insufficient_scope: { status: 403, oauth: 'insufficient_scope' },
  person_required: { status: 403, oauth: 'insufficient_scope' },
  api_key_limit_reached: { status: 409, oauth: 'invalid_request' },
  session_replaced: { status: 400, oauth: 'invalid_grant' },
  recent_sign_in_required: { status: 401, oauth: 'insufficient_user_authentication' },

  // The sign-in attempt
  state_mismatch: { status: 400, oauth: 'invalid_request' },
  state_expired: { status: 400, oauth: 'invalid_request' },
  code_already_used: { status: 400, oauth: 'invalid_grant' },
  login_interrupted: { status: 503, oauth: 'temporarily_unavailable' },
  access_denied: { status: 403, oauth: 'access_denied' },
  snapshot_user: { status: 403, oauth: 'snapshot_user' },
  browser_unsupported: { status: 400, oauth: 'browser_unsupported' },
  method_unavailable: { status: 400, oauth: 'method_unavailable' },
  follow_required: { status: 403, oauth: 'follow_required' },
  consent_required: { status: 403, oauth: 'consent_required' },
  login_required: { status: 400, oauth: 'login_required' },
  interaction_required: { status: 400, oauth: 'interaction_required' },
  authorization_pending: { status: 400, oauth: 'authorization_pending' },
  slow_down: { status: 400, oauth: 'slow_down' },
  approval_forbidden: { status: 403, oauth: 'access_denied' },
  approval_over: { status: 409, oauth: 'access_denied' },
  user_code_invalid: { status: 400, oauth: 'invalid_request' },
  expired_token: { status: 400, oauth: 'expired_token' },

  // The person
  sign_up_refused: { status: 403, oauth: 'access_denied' },
  user_disabled: { status: 403, oauth: 'access_denied' },
  session_limit_reached: { status: 403, oauth: 'access_denied' },
  binding_required: { status: 400, oauth: 'binding_required' },
  binding_token_invalid: { status: 400, oauth: 'invalid_request' },
  phone_number_taken: { status: 409, oauth: 'phone_number_taken' },
  identity_conflict: { status: 409, oauth: 'identity_conflict' },
  last_identity: { status: 409, oauth: 'invalid_request' },
  merge_refused: { status: 409, oauth: 'invalid_request' },

  // The identity provider row
  provider_not_found: { status: 404, oauth: 'provider_not_found' },
  provider_disabled: { status: 403, oauth: 'provider_disabled' },
  provider_misconfigured: { status: 500, oauth: 'server_error' },
  wechat_open_not_configured: { status: 400, oauth: 'wechat_open_not_configured' },
  wechat_mp_not_configured: { status: 400, oauth: 'wechat_mp_not_configured' },
  wechat_mini_not_configured: { status: 400, oauth: 'wechat_mini_not_configured' },
  wechat_mobile_not_configured: { status: 400, oauth: 'wechat_mobile_not_configured' },

  // WeChat's pushes
  webhook_signature_invalid: { status: 403, oauth: 'access_denied' },

  // WeChat's responses
  wechat_unavailable: { status: 503, oauth: 'temporarily_unavailable' },
  wechat_answer_invalid: { status: 502, oauth: 'server_error' },
  wechat_code_invalid: { status: 400, oauth: 'invalid_grant' },
  phone_code_invalid: { status: 400, oauth: 'invalid_grant' },
  session_key_missing: { status: 409, oauth: 'invalid_request' },
  session_key_stale: { status: 409, oauth: 'invalid_request' },
  wechat_credentials_rejected: { status: 502, oauth: 'server_error' },
  wechat_ip_not_allowed: { status: 502, oauth: 'server_error' },
  wechat_quota_exceeded: { status: 503, oauth: 'temporarily_unavailable' },
  wechat_permission_missing: { status: 502, oauth: 'server_error' },
  wechat_user_restricted: { status: 403, oauth: 'access_denied' },

  // Our own
  database_unavailable: { status: 503, oauth: 'temporarily_unavailable' },
  internal_error: { status: 500, oauth: 'server_error' },
} as const satisfies Record<string, IamErrorEntry>;

/** The stable code of a failure, as in problem+json's `code`. */
export type IamErrorCode = keyof typeof errorCatalogue;

/** The errors of a provider row that admits no sign-in, for descriptions. */
export const providerErrors = [
  'provider_not_found',
  'provider_disabled',
  'provider_misconfigured',
] as const satisfies IamErrorCode[];

/** The errors of any call to WeChat, for descriptions. */
export const wechatErrors = [
  'wechat_unavailable',
  'wechat_answer_invalid',
  'wechat_credentials_rejected',
  'wechat_ip_not_allowed',
  'wechat_quota_exceeded',
  'wechat_permission_missing',
] as const satisfies IamErrorCode[];

/** Optional parts of an error. `retryAfterSeconds` becomes the `Retry-After` header; `members` join the public body. */
interface IamErrorOptions {
  readonly cause?: unknown;
  readonly retryAfterSeconds?: number;
  readonly members?: Readonly<Record<string, string | number>>;
}

/**
 * A failure a caller can see. `detail` and `cause` are for the operator's log and never reach the caller. A detail may
 * quote a request, so it is kept on one line.
 */
export class IamError extends Error {
  readonly code: IamErrorCode;
  readonly detail: string;
  readonly retryAfterSeconds: number | undefined;
  readonly members: Readonly<Record<string, string | number>>;

  constructor(code: IamErrorCode, detail: string, options: IamErrorOptions = {}) {
    super(`${code}: ${oneLine(detail)}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'IamError';
    this.code = code;
    this.detail = oneLine(detail);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.members = options.members ?? {};
  }

  /** The HTTP status, where Express and others look for it. */
  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** A member of a JSON body that is not valid: the response names it by its path, e.g. `redirect_uris.0`; why is for the log alone. */
export function wrongMember(member: string, why: string, cause?: unknown): IamError {
  return new IamError('invalid_request', `${member}: ${why}`, { cause, members: { member } });
}

/** The code in a column; `internal_error` for any other text. */
export function toErrorCode(text: string | null): IamErrorCode {
  return text !== null && isErrorCode(text) ? text : 'internal_error';
}

function isErrorCode(text: string): text is IamErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}
