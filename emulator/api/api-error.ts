/** The error texts seen in the wild (protocol C.5, E.1, E.3); a code without one gets a plain description. */
const messages: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001:
    'invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40007: 'invalid media_id',
  40008: 'invalid message type',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40030: 'invalid refresh_token',
  40031: 'invalid openid list',
  40032: 'invalid openid list size',
  40033: 'invalid charset',
  40052: 'invalid action name',
  40053: 'invalid action info',
  40066: 'invalid url',
  40125: 'invalid appsecret',
  40129: 'invalid scene',
  40163: 'code been used',
  40226: 'code blocked',
  41001: 'access_token missing',
  41002: 'appid missing',
  41003: 'refresh_token missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  41009: 'missing openid',
  42001: 'access_token expired',
  42002: 'refresh_token expired',
  42003: 'code expired',
  42007: 'user changed password, access_token and refresh_token invalid',
  43002: 'require POST method',
  44002: 'empty post data',
  44004: 'empty content',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit mustslower retry next minute',
  45015: 'response out of time limit or subscription is canceled',
  45029: 'qrcode count out of limit',
  45047: 'out of response count limit',
  47001: 'data format error',
  48001: 'api unauthorized',
  48006: 'forbid to clear quota because of reaching the limit',
  50001: 'user unauthorized',
  50002: 'user limited',
};

/** An answer with an errcode, thrown by whatever finds the fault in a request. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly errcode: number,
    message = messages[errcode] ?? 'error',
  ) {
    super(message);
  }
}
