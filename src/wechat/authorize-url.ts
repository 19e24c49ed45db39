/** Parameters of both authorize pages. `state` is letters and digits, at most 128 of them. */
interface AuthorizeUrlInput {
  /** The `open` endpoint. */
  readonly endpoint: string;
  readonly appid: string;
  /** Absolute; its host is the one registered with WeChat. */
  readonly redirectUri: string;
  readonly state: string;
}

/** `lang` is the language of WeChat's QR page; WeChat's default is `cn`. */
interface OpenAuthorizeUrlInput extends AuthorizeUrlInput {
  readonly lang?: 'cn' | 'en' | undefined;
}

/** `forcePopup` shows the consent page even where WeChat would skip it. */
interface MpAuthorizeUrlInput extends AuthorizeUrlInput {
  readonly scope: MpScope;
  readonly forcePopup?: boolean | undefined;
}

/** `snsapi_base` is silent and gives the openid; `snsapi_userinfo` shows a consent page and gives the profile. */
type MpScope = 'snsapi_base' | 'snsapi_userinfo';

/** WeChat's QR page for PC browsers, parameters in the documented order. */
export function openAuthorizeUrl({ endpoint, lang, ...input }: OpenAuthorizeUrlInput): string {
  const query = authorizeQuery(input, 'snsapi_login');
  if (lang !== undefined) query.push(['lang', lang]);
  return `${endpoint}/connect/qrconnect?${encodeQuery(query)}#wechat_redirect`;
}

/** The consent page inside WeChat, which enforces this very order of parameters and needs the fragment. */
export function mpAuthorizeUrl({ endpoint, scope, forcePopup, ...input }: MpAuthorizeUrlInput): string {
  const query = authorizeQuery(input, scope);
  if (forcePopup === true) query.push(['forcePopup', 'true']);
  return `${endpoint}/connect/oauth2/authorize?${encodeQuery(query)}#wechat_redirect`;
}

/** The options of WeChat's embedded QR code, `new WxLogin({ id, ...parameters })`. */
interface WxLoginParameters {
  readonly appid: string;
  readonly scope: 'snsapi_login';
  readonly redirect_uri: string;
  readonly state: string;
}

/**
 * wxLogin.js concatenates its options raw into a URL, so `redirect_uri` and `state` are percent-encoded here already:
 * pass them on as they are.
 */
export function wxLoginParameters(input: Omit<AuthorizeUrlInput, 'endpoint'>): WxLoginParameters {
  return {
    appid: input.appid,
    scope: 'snsapi_login',
    redirect_uri: encodeURIComponent(input.redirectUri),
    state: encodeURIComponent(input.state),
  };
}

type Query = [name: string, value: string][];

function authorizeQuery(input: Omit<AuthorizeUrlInput, 'endpoint'>, scope: string): Query {
  return [
    ['appid', input.appid],
    ['redirect_uri', input.redirectUri],
    ['response_type', 'code'],
    ['scope', scope],
    ['state', input.state],
  ];
}

function encodeQuery(query: Query): string {
  return query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

/**
 * The authorization code in a callback; null when WeChat returned without one. Older clients return `code=authdeny` after a
 * refusal: exchanged, every refusal would count as a replay of the first one.
 */
export function readAuthorizationCode(code: unknown): string | null {
  return typeof code !== 'string' || code === '' || /^authdeny$/i.test(code) ? null : code;
}
