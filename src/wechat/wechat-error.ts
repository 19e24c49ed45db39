import { isIP } from 'node:net';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { type ErrcodeAction, meaningOf } from './errcodes.js';

/** The known facts about a failed call. Nothing here is a secret: no query, no body, no errmsg. */
interface WechatFailure {
  /** The path called, e.g. `/sns/userinfo`. */
  readonly endpoint: string;
  readonly action: ErrcodeAction;
  readonly errcode?: number | undefined;
  /** WeChat's id of the request, with which its support can find it. */
  readonly rid?: string | undefined;
  /** The address of this server that WeChat does not accept. */
  readonly refusedAddress?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** A call to WeChat that failed, with what to do about it. */
export class WechatError extends IamError {
  readonly endpoint: string;
  readonly action: ErrcodeAction;
  readonly errcode: number | undefined;
  readonly rid: string | undefined;
  readonly refusedAddress: string | undefined;

  constructor(code: IamErrorCode, reason: string, failure: WechatFailure) {
    const seconds = failure.retryAfterSeconds ?? (failure.errcode === minuteQuota ? 60 : undefined);
    super(
      code,
      `${failure.endpoint}: ${reason}${failure.rid === undefined ? '' : ` (rid ${failure.rid})`}`,
      seconds === undefined ? {} : { retryAfterSeconds: seconds },
    );
    this.name = 'WechatError';
    this.endpoint = failure.endpoint;
    this.action = failure.action;
    this.errcode = failure.errcode;
    this.rid = failure.rid;
    this.refusedAddress = failure.refusedAddress;
  }
}

const minuteQuota = 45011;
const ridForm = /\brid:\s*([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})\b/;
const refusedAddressForm = /\binvalid ip ([0-9a-f.:]{3,45})\b/;

/** WeChat did not respond, or its response could not be read: it may have acted on the request. */
export function unavailable(endpoint: string, reason: string): WechatError {
  return new WechatError('wechat_unavailable', reason, { endpoint, action: 'retry' });
}

/** WeChat responded, but not as documented. */
export function invalidResponse(endpoint: string, reason: string): WechatError {
  return new WechatError('wechat_answer_invalid', reason, { endpoint, action: 'fail' });
}

/** WeChat itself always sends 200; another status comes from a gateway before it. */
export function gatewayError(endpoint: string, status: number): WechatError {
  const reason = `HTTP status ${status}`;
  if (status !== 429) return unavailable(endpoint, reason);
  return new WechatError('wechat_quota_exceeded', reason, { endpoint, action: 'rate' });
}

/** True for a failure that a retry may mend. */
export function isTransient(error: unknown): boolean {
  return error instanceof WechatError && error.code === 'wechat_unavailable';
}

/** True where WeChat says that a code was exchanged before (protocol I.1). */
export function isCodeUsed(error: unknown): boolean {
  return error instanceof WechatError && error.errcode === 40163;
}

/** The code of a network failure (`ECONNREFUSED`, `CERT_HAS_EXPIRED`), never its message. */
export function networkReason(error: unknown): string {
  const [, status] = /^Proxy response \((\d{3})\)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (status !== undefined) return `network: the proxy responded with ${status}`;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code) ? `network: ${code}` : 'network: failure';
}

/** The error for an `errcode` other than 0. Of `errmsg` only the rid and a refused address are kept. */
export function errcodeError(endpoint: string, errcode: number, errmsg: unknown): WechatError {
  const { code, action, note } = meaningOf(errcode, endpoint);
  const message = typeof errmsg === 'string' ? errmsg : '';
  const refusedAddress = findAddress(message);
  const reason = `errcode ${errcode}, ${note}${refusedAddress === undefined ? '' : `: ${refusedAddress}`}`;
  const rid = ridForm.exec(message)?.[1];
  return new WechatError(code, reason, { endpoint, action, errcode, rid, refusedAddress });
}

/** Takes over an address and no other text of `errmsg`. */
function findAddress(message: string): string | undefined {
  const [, text] = refusedAddressForm.exec(message) ?? [];
  return text !== undefined && isIP(text) !== 0 ? text : undefined;
}
