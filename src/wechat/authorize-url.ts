import type { WechatLanguage } from './sns.js';
import type { WechatAppKind } from './wechat-call.js';

/** A kind of app with a page at which a browser gets a code. */
export type BrowserAppKind = Extract<WechatAppKind, 'open' | 'mp'>;

/** WeChat's QR page for PC browsers, the consent page inside WeChat; the allowed scopes, the default first. */
export const authorizePages = {
  open: { path: '/connect/qrconnect', scopes: ['snsapi_login'] },
  /** `snsapi_base` is silent and gives the openid; `snsapi_userinfo` shows a consent page and gives the profile. */
  mp: { path: '/connect/oauth2/authorize', scopes: ['snsapi_userinfo', 'snsapi_base'] },
} as const satisfies Record<BrowserAppKind, { path: string; scopes: readonly string[] }>;

/** The parts of an authorize URL. `state` is letters and digits, at most 128 of them. */
interface AuthorizeUrlParts {
  /** The `open` endpoint. */
  readonly endpoint: string;
  readonly appid: string;
  /** Absolute; its host is the one registered with WeChat. */
  readonly redirectUri: string;
  readonly state: string;
  readonly scope: string;
  /** Of the QR page; WeChat's default is Chinese. */
  readonly lang?: WechatLanguage;
  /** Shows the consent page even where WeChat would skip it. */
  readonly forcePopup?: boolean;
}

/** The authorize URL in the documented order, which WeChat enforces for an Official Account, and with the fragment that it needs. */
export function authorizeUrl(kind: BrowserAppKind, parts: AuthorizeUrlParts): string {
  const query = [
    ['appid', parts.appid],
    ['redirect_uri', parts.redirectUri],
    ['response_type', 'code'],
    ['scope', parts.scope],
    ['state', parts.state],
    ...(kind === 'open' && parts.lang === 'en' ? [['lang', 'en']] : []),
    ...(kind === 'mp' && parts.forcePopup === true ? [['forcePopup', 'true']] : []),
  ].map(([name = '', value = '']) => `${name}=${encodeURIComponent(value)}`);
  return `${parts.endpoint}${authorizePages[kind].path}?${query.join('&')}#wechat_redirect`;
}

/**
 * The options of WeChat's embedded QR code, `new WxLogin({ id, ...parameters })`. wxLogin.js concatenates them raw into a URL, so
 * `redirect_uri` and `state` are percent-encoded here already: pass them on as they are.
 */
export function wxLoginParameters(input: Pick<AuthorizeUrlParts, 'appid' | 'redirectUri' | 'state'>) {
  return {
    appid: input.appid,
    scope: authorizePages.open.scopes[0],
    redirect_uri: encodeURIComponent(input.redirectUri),
    state: encodeURIComponent(input.state),
  };
}

/**
 * The authorization code in a callback; null when WeChat returned without one. Older clients return `code=authdeny` after a
 * refusal: exchanged, every refusal would count as a replay of the first one.
 */
export function readAuthorizationCode(code: unknown): string | null {
  return typeof code !== 'string' || code === '' || /^authdeny$/i.test(code) ? null : code;
}
