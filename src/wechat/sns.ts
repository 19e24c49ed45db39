import { z } from 'zod';
import { Secret } from '../crypto/secret.js';
import { cleanAvatarUrl, cleanNickname } from './profile-text.js';
import type { WechatApp } from './wechat-call.js';
import { WechatError } from './wechat-error.js';
import type { WechatHttp } from './wechat-http.js';

/** Ids are opaque printable ASCII; WeChat's are 28 characters long, but no document promises a length. */
export const openid = z.string().regex(/^[\x21-\x7e]{1,128}$/);

/** Absent for an app outside any Open Platform account; some responses have an empty text instead. */
export const unionid = z
  .string()
  .regex(/^[\x21-\x7e]{0,64}$/)
  .optional()
  .transform((id) => (id === undefined || id === '' ? null : id));

const token = z.string().regex(/^[\x21-\x7e]{1,2048}$/);

/** Anything but a clear "no" is a snapshot: its ids are virtual and must never become a user. */
const snapshot = z
  .unknown()
  .optional()
  .transform((flag) => flag !== undefined && flag !== null && flag !== 0 && flag !== '0' && flag !== false);

/** `/sns/oauth2/access_token`. */
const grantResponse = z.object({
  openid,
  unionid,
  access_token: token,
  refresh_token: token,
  expires_in: z.number().int().positive(),
  scope: z.string().max(1024).default(''),
  is_snapshotuser: snapshot,
});

/** `/sns/userinfo`. Nickname and avatar are untrusted texts to clean, and never make a sign-in fail. */
const userinfoResponse = z.object({
  openid,
  unionid,
  nickname: z.unknown().optional(),
  headimgurl: z.unknown().optional(),
});

/** What differs from the grant's person; a unionid may be absent on either side. */
function foreignField(
  grant: Pick<WechatGrant, 'openid' | 'unionid'>,
  response: Pick<WechatGrant, 'openid' | 'unionid'>,
): string | undefined {
  if (response.openid !== grant.openid) return 'openid';
  const isSame = response.unionid === null || grant.unionid === null || response.unionid === grant.unionid;
  return isSame ? undefined : 'unionid';
}

/** `/sns/jscode2session`. */
const sessionResponse = z
  .object({ openid, unionid, session_key: token })
  .transform(({ session_key, ...ids }) => ({ ...ids, sessionKey: new Secret(session_key) }));

/** The result of a code exchange: the person's ids for this app, and the right to read the profile. */
export interface WechatGrant {
  readonly openid: string;
  /** Absent unless the app is bound to an Open Platform account, and then still with `snsapi_base`. */
  readonly unionid: string | null;
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
  /** Seconds. */
  readonly expiresIn: number;
  readonly scopes: readonly string[];
  /** WeChat's preview mode: all ids are virtual and must not sign anybody in. */
  readonly snapshotUser: boolean;
}

/** `snsapi_base` alone does not allow to read the profile. */
export function isSilent({ scopes }: Pick<WechatGrant, 'scopes'>): boolean {
  return scopes.join() === 'snsapi_base';
}

/** A person as WeChat describes them; nickname and avatar are clean, or null. */
export interface WechatProfile {
  readonly openid: string;
  readonly unionid: string | null;
  readonly nickname: string | null;
  readonly avatarUrl: string | null;
}

/** The language of the profile's place names. */
export type WechatLanguage = 'zh_CN' | 'zh_TW' | 'en';

/** The calls on a person's behalf. An exchange is never sent twice: it may have consumed the code. */
export class WechatSns {
  constructor(private readonly http: WechatHttp) {}

  async exchangeCode(app: WechatApp, code: string): Promise<WechatGrant> {
    const path = '/sns/oauth2/access_token';
    const query = { ...credentialsOf(app), code: checkedCode(path, code), grant_type: 'authorization_code' };
    return toGrant(await this.http.call({ path, query, appid: app.appid }, grantResponse));
  }

  /** The profile of the grant's person; a response about another person is refused. */
  async userinfo(
    grant: Pick<WechatGrant, 'openid' | 'unionid' | 'accessToken'>,
    lang: WechatLanguage = 'zh_CN',
  ): Promise<WechatProfile> {
    const query = { access_token: grant.accessToken.reveal(), openid: grant.openid, lang };
    const response = await this.http.call(
      { path: '/sns/userinfo', query, repeatable: true },
      userinfoResponse,
      { foreignField: (read) => foreignField(grant, read) },
    );
    return {
      openid: response.openid,
      unionid: response.unionid ?? grant.unionid,
      nickname: cleanNickname(response.nickname),
      avatarUrl: cleanAvatarUrl(response.headimgurl),
    };
  }

  async jscode2session(app: WechatApp, code: string): Promise<z.output<typeof sessionResponse>> {
    const path = '/sns/jscode2session';
    const js_code = checkedCode(path, code);
    const query = { ...credentialsOf(app), js_code, grant_type: 'authorization_code' };
    return this.http.call({ path, query, appid: app.appid }, sessionResponse);
  }
}

function credentialsOf(app: WechatApp): { readonly appid: string; readonly secret: string } {
  return { appid: app.appid, secret: app.secret.reveal() };
}

/** Saves the call for a text that cannot be a code. */
function checkedCode(endpoint: string, code: string): string {
  if (/^[\x21-\x7e]{1,512}$/.test(code)) return code;
  throw new WechatError('wechat_code_invalid', 'not a code', { endpoint, action: 'relogin' });
}

function toGrant(response: z.output<typeof grantResponse>): WechatGrant {
  return {
    openid: response.openid,
    unionid: response.unionid,
    accessToken: new Secret(response.access_token),
    refreshToken: new Secret(response.refresh_token),
    expiresIn: response.expires_in,
    scopes: response.scope.split(',').filter((scope) => scope !== ''),
    snapshotUser: response.is_snapshotuser,
  };
}
