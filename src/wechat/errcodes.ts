import type { IamErrorCode } from '../errors/iam.error.js';

/**
 * What to do about an errcode. `retry`: again later, if the call may be repeated. `token`: fetch the app's access token
 * anew, once. `refresh`: refresh the person's token. `relogin`: the person starts again. `config`: the operator must
 * act. `bug`: our request is wrong. `rate`: wait. `user`: the person must know. `fail`: give up.
 */
export type ErrcodeAction =
  'retry' | 'token' | 'refresh' | 'relogin' | 'config' | 'bug' | 'rate' | 'user' | 'fail';

/** The error code for an errcode, and a note for the operator's log. */
interface ErrcodeMeaning {
  readonly code: IamErrorCode;
  readonly action: ErrcodeAction;
  readonly note: string;
}

type Row = readonly [action: ErrcodeAction, code: IamErrorCode, note: string];

const rows: Readonly<Record<number, Row>> = {
  [-1]: ['retry', 'wechat_unavailable', 'WeChat is busy'],
  40002: ['bug', 'internal_error', 'bad grant_type'],
  40003: ['fail', 'wechat_answer_invalid', 'the openid belongs to another app or is no follower'],
  40007: ['bug', 'internal_error', 'bad media id'],
  40008: ['bug', 'internal_error', 'bad message type'],
  40013: ['config', 'wechat_credentials_rejected', 'the appid is wrong (it is case-sensitive)'],
  40029: ['relogin', 'wechat_code_invalid', 'the code is unknown, expired or of another app'],
  40030: ['relogin', 'wechat_code_invalid', 'the refresh_token is invalid'],
  40036: ['config', 'provider_misconfigured', 'bad template_id length'],
  40037: ['config', 'provider_misconfigured', 'bad template_id'],
  40090: ['config', 'wechat_ip_not_allowed', 'the client address is not accepted'],
  40125: ['config', 'wechat_credentials_rejected', 'the secret is wrong'],
  40131: ['rate', 'wechat_quota_exceeded', 'out of tickets'],
  40163: ['relogin', 'wechat_code_invalid', 'the code was used before'],
  40164: ['config', 'wechat_ip_not_allowed', "add this server's address to the IP whitelist of the app"],
  40222: ['config', 'wechat_permission_missing', 'the request came to the wrong data centre'],
  40226: ['user', 'wechat_user_restricted', 'WeChat blocks this person as high-risk'],
  40243: ['config', 'wechat_credentials_rejected', 'the secret is frozen'],
  41030: ['config', 'provider_misconfigured', 'the page is not in the released version of the mini program'],
  41002: ['config', 'wechat_credentials_rejected', 'the appid is missing'],
  41004: ['config', 'wechat_credentials_rejected', 'the secret is missing'],
  41008: ['relogin', 'wechat_code_invalid', 'the code is missing'],
  42002: ['relogin', 'wechat_code_invalid', 'the refresh_token expired'],
  42003: ['relogin', 'wechat_code_invalid', 'the code expired'],
  42005: ['config', 'wechat_permission_missing', 'the use of this interface has expired'],
  42007: ['relogin', 'wechat_code_invalid', 'the person changed the password, tokens are void'],
  43004: ['user', 'follow_required', 'the person does not follow the account'],
  43005: ['fail', 'wechat_permission_missing', 'a friend relation is required'],
  43007: ['fail', 'wechat_permission_missing', "the person's authorization is required"],
  43019: ['fail', 'wechat_user_restricted', 'the person is in the blacklist'],
  43101: ['user', 'wechat_user_restricted', 'the person refuses messages'],
  45009: ['rate', 'wechat_quota_exceeded', "today's quota is used up (until 00:00 in Beijing)"],
  45011: ['rate', 'wechat_quota_exceeded', 'too many calls in this minute'],
  45015: ['fail', 'wechat_user_restricted', 'the time for replying is over'],
  45029: ['config', 'wechat_quota_exceeded', 'no more permanent QR codes'],
  45035: ['config', 'wechat_ip_not_allowed', "add this server's address to the IP whitelist of the app"],
  45047: ['rate', 'wechat_quota_exceeded', 'too many messages to this person'],
  46004: ['fail', 'wechat_answer_invalid', 'there is no such person'],
  48001: ['config', 'wechat_permission_missing', 'the account or the scope does not allow this interface'],
  48002: ['user', 'wechat_user_restricted', 'the person blocks messages'],
  48004: ['config', 'wechat_permission_missing', 'the interface was banned for this account'],
  48006: ['rate', 'wechat_quota_exceeded', 'no more quota resets this month'],
  48008: ['config', 'wechat_permission_missing', 'the account may not send this kind of message'],
  50001: ['relogin', 'wechat_permission_missing', 'the person did not grant the scope'],
  50002: ['user', 'wechat_user_restricted', 'the person or the account is frozen or banned'],
  50004: ['config', 'wechat_credentials_rejected', 'the account may not fetch an access_token (punished)'],
  50005: ['user', 'follow_required', 'the person does not follow the account'],
  50007: ['config', 'wechat_credentials_rejected', 'the account is frozen'],
  61003: ['config', 'wechat_permission_missing', 'the account has not authorized this platform'],
  61004: ['config', 'wechat_ip_not_allowed', "add this server's address to the IP whitelist of the app"],
  61007: ['config', 'wechat_permission_missing', 'the account has not granted this interface'],
  61009: ['relogin', 'wechat_code_invalid', 'the authorization code is invalid'],
  61010: ['relogin', 'wechat_code_invalid', 'the authorization code expired'],
  61023: ['relogin', 'wechat_code_invalid', 'the refresh_token is invalid'],
  65302: ['fail', 'wechat_answer_invalid', 'there is no such person'],
  76001: ['fail', 'wechat_answer_invalid', 'the rid is unknown'],
  76002: ['fail', 'wechat_answer_invalid', 'the rid is malformed'],
  76003: ['fail', 'wechat_answer_invalid', 'the rid belongs to another app'],
  76004: ['fail', 'wechat_answer_invalid', 'the rid is older than seven days'],
  63178: ['config', 'provider_misconfigured', 'no migration from this account into this one is confirmed'],
  63183: ['config', 'provider_misconfigured', 'no migration from this account into this one is known'],
  87007: ['relogin', 'session_key_stale', 'the session key has expired'],
  87009: ['relogin', 'session_key_stale', 'the session key is not the latest one of this person'],
  89000: ['config', 'provider_misconfigured', 'already bound to an Open Platform account'],
  89001: ['config', 'provider_misconfigured', 'bound under another subject'],
  89002: ['config', 'provider_misconfigured', 'not bound to an Open Platform account'],
  89004: ['config', 'provider_misconfigured', 'no more bindings'],
  89501: ['config', 'wechat_ip_not_allowed', "this server's address awaits the account admin's consent"],
  89503: ['config', 'wechat_ip_not_allowed', "this server's address needs the account admin's consent"],
  89506: ['config', 'wechat_ip_not_allowed', 'the admin refused this address twice, blocked for 24 hours'],
  89507: ['config', 'wechat_ip_not_allowed', 'the admin refused this address, blocked for 1 hour'],
  1400001: ['rate', 'wechat_quota_exceeded', 'no phone numbers are left of those paid for'],
  9001002: ['retry', 'wechat_unavailable', 'a service behind WeChat is down'],
};

/** Errcodes that only mean that our request is wrong. */
const bugs = new Set([
  40031, 40032, 40033, 40035, 40038, 40039, 40048, 40052, 40053, 40066, 40097, 40129, 40132, 40169, 40188,
  41001, 41003, 41009, 43001, 43002, 43003, 44002, 44004, 45002, 47001, 47002, 47003, 49001, 49003, 61451,
  63182, 85096, 87008, 9001001,
]);

/** 40001, 40014 and 42001 say "a credential is wrong"; which one depends on what the endpoint takes. */
const credentialCodes = new Set([40001, 40014, 42001]);
const credentialRows = {
  secret: ['config', 'wechat_credentials_rejected', 'the secret is wrong'],
  personToken: ['refresh', 'wechat_code_invalid', "the person's token is invalid or expired"],
  appToken: ['token', 'wechat_credentials_rejected', "the app's access_token is invalid or expired"],
} as const satisfies Record<string, Row>;

/** Its codes are of a button, not of a sign-in. */
export const phonePath = '/wxa/business/getuserphonenumber';

/** What WeChat was seen to say of a code of another person (40003) or app (40013); our own appid has got the token. */
const foreignPhoneCodes = new Set([40003, 40013]);

const secretPaths = new Set([
  '/sns/oauth2/access_token',
  '/sns/jscode2session',
  '/cgi-bin/token',
  '/cgi-bin/stable_token',
]);

/** The meaning of an errcode other than 0 from the endpoint with this path; an unknown one is a failure. */
export function meaningOf(errcode: number, path: string): ErrcodeMeaning {
  const [action, code, note] = rowOf(errcode, path);
  return { action, code, note };
}

function rowOf(errcode: number, path: string): Row {
  if (credentialCodes.has(errcode)) return credentialRows[credentialOf(path)];
  if (bugs.has(errcode)) return ['bug', 'internal_error', 'WeChat finds our request wrong'];
  const [action, code, note] = rows[errcode] ?? ['fail', 'wechat_answer_invalid', 'unknown errcode'];
  if (path !== phonePath) return [action, code, note];
  if (foreignPhoneCodes.has(errcode))
    return ['relogin', 'phone_code_invalid', 'the code is of another person or app'];
  return [action, code === 'wechat_code_invalid' ? 'phone_code_invalid' : code, note];
}

function credentialOf(path: string): keyof typeof credentialRows {
  if (secretPaths.has(path)) return 'secret';
  return path.startsWith('/sns/') ? 'personToken' : 'appToken';
}
