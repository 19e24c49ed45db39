/** What a server says as JSON, before somebody has looked at it. */
export type Json = Readonly<Record<string, unknown>>;

/** Failures that no server has reported. */
export type OwnErrorCode =
  | 'aborted'
  | 'insecure_context'
  | 'issuer_mismatch'
  | 'network_error'
  | 'origin_not_allowed'
  | 'state_mismatch'
  | 'wechat_login_failed';

/** Every failure of a client: `code` is the server's stable error code, or one of `OwnErrorCode`. */
export class IamClientError extends Error {
  override readonly name = 'IamClientError';

  constructor(
    readonly code: OwnErrorCode | (string & {}),
    /** Of the response; 0 when there was none. */
    readonly status = 0,
    /** All that the server said. */
    readonly details: Json = {},
  ) {
    super(code);
  }

  /** With `binding_required`: what the host redeems for the account that it has recognised. */
  get bindingToken(): string | null {
    const { binding_token: token } = this.details;
    return typeof token === 'string' ? token : null;
  }
}

/** A body without members for anything but a JSON object. */
export function toJson(body: unknown): Json {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

/** @throws IamClientError for a status that is not one of success */
export function checkedBody(status: number, body: unknown): Json {
  const said = toJson(body);
  if (status >= 200 && status < 300) return said;
  const code = said['code'] ?? said['error'];
  throw new IamClientError(typeof code === 'string' ? code : `http_${status}`, status, said);
}

/** Whether the same request may succeed later: no response has come, or one that says that the server is in trouble. */
export function isPassing(error: unknown): boolean {
  return error instanceof IamClientError && (error.code === 'network_error' || error.status >= 500);
}
