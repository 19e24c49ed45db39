import type { FormData } from 'undici';
import type { Secret } from '../crypto/secret.js';

/** The four kinds of account a person can sign in through: website, Official Account, mini program, mobile app. */
export type WechatAppKind = 'open' | 'mp' | 'mini' | 'mobile';

/** One appid with its secret, as every call on behalf of an app needs it. */
export interface WechatApp {
  readonly kind: WechatAppKind;
  readonly appid: string;
  readonly secret: Secret;
}

/** A call to the `api` host. The query and body hold secrets and appear in no error. */
export interface WechatCall {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes it a POST with this JSON. */
  readonly body?: unknown;
  /** Makes it a POST with this multipart form: an upload. */
  readonly form?: FormData;
  /** The app whose secret is in the query or body; never sent, only reported. */
  readonly appid?: string;
  /** True for an idempotent call: it is sent once more when WeChat is busy or does not respond. */
  readonly repeatable?: boolean;
}

/** Limits of one call in place of the client's own. */
export interface WechatCallLimits {
  /** As `WechatHttpOptions.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** As `WechatHttpOptions.maxBytes`. */
  readonly maxBytes?: number | undefined;
}

/** How the JSON of one call is read. */
export interface WechatReading<T> extends WechatCallLimits {
  /** The field by which a response turns out to be about another person or app; undefined for the right one. */
  readonly foreignField?: ((response: T) => string | undefined) | undefined;
}

/** A path alone: no character that could begin a host, a query or a fragment. */
const pathForm = /^\/[\w./-]+$/;

/** @throws TypeError when the path is none: the query, with its token, would go to another host */
export function requirePath({ path }: WechatCall): void {
  if (!pathForm.test(path)) throw new TypeError(`no path of WeChat's API: ${JSON.stringify(path)}`);
}
