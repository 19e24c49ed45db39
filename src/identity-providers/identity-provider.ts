import { z } from 'zod';
import { Secret } from '../crypto/secret.js';
import type { WechatApp, WechatAppKind } from '../wechat/wechat-call.js';
import type { Sealer } from '../crypto/sealer.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';
import { identityProviderChanges, type SecretColumn } from './provider-columns.js';
import { openSecret } from './provider-secrets.js';

const confirmation = z
  .object({ pair: z.string(), at: z.coerce.date().transform((date) => date.getTime()) })
  .optional();
const confirmed = z.object({
  open: confirmation,
  mp: confirmation,
  mini: confirmation,
  mobile: confirmation,
});

/** An `iam.identity_providers` row as the code reads it: secrets opened, defaults filled in. */
export type IdentityProvider = ReturnType<typeof readRow>;

/** How the Official Account's server configuration delivers messages. */
export type MpServer = IdentityProvider['mpServer'];

/** The apps of a row whose pair is complete, the Official Account first: what a push that names no app is for. */
export function appsOf({ mp, open, mini, mobile }: IdentityProvider): WechatApp[] {
  return [mp, open, mini, mobile].filter((app) => app !== null);
}

const choices = identityProviderChanges
  .pick({
    sign_up: true,
    mp_scope: true,
    mp_message_mode: true,
    qr_with: true,
    qr_login_with: true,
    qr_confirmation: true,
    mini_link: true,
  })
  .strip()
  .required();

/** Opens a row's secrets and fills in its defaults. Throws when a secret does not open or a value is not of its list. */
export function readRow(row: IdentityProviderEntity, sealer: Sealer) {
  const chosen = choices.parse(row);
  const secret = (column: SecretColumn): Secret | null => {
    const clear = openSecret(sealer, row, column) ?? '';
    return clear === '' ? null : new Secret(clear);
  };
  const app = (kind: WechatAppKind): WechatApp | null => {
    const [appid, appSecret] = [
      row[`${kind}_app_id` as const]?.trim() ?? '',
      secret(`${kind}_app_secret` as const),
    ];
    return appid === '' || appSecret === null ? null : { kind, appid, secret: appSecret };
  };
  const present = (columns: readonly SecretColumn[]) => columns.map(secret).filter((value) => value !== null);
  return Object.freeze({
    id: row.id,
    slug: row.slug,
    name: row.name,
    enabled: row.enabled,
    /** What happens to a person not seen before. */
    signUp: chosen.sign_up,
    /** Open Platform website app; null when the pair is not complete. */
    open: app('open'),
    /** Official Account; null when the pair is not complete. */
    mp: app('mp'),
    mini: app('mini'),
    mobile: app('mobile'),
    mpScope: chosen.mp_scope,
    mpServer: {
      mode: chosen.mp_message_mode,
      /** The current Token first; the previous one keeps working while it is being changed. */
      tokens: present(['mp_token', 'mp_token_previous']),
      /** The current EncodingAESKey first. */
      encodingAesKeys: present(['mp_encoding_aes_key', 'mp_encoding_aes_key_previous']),
    },
    /** Keeps the session keys of the mini program's people. */
    keepsSessionKeys: row.mini_session_keys,
    qr: {
      enabled: row.qr_enabled,
      /** The way of answering the QR code. */
      with: chosen.qr_with,
      loginWith: chosen.qr_login_with,
      confirmation: chosen.qr_confirmation,
    },
    /** The mini program's page that confirms sign-ins, and how a phone browser opens it. */
    approval: { page: row.mini_approval_page, link: chosen.mini_link },
    /** Which pair WeChat has confirmed, by kind of app, and since when in milliseconds. What is not of its form confirms nothing. */
    confirmations: confirmed.safeParse(row.confirmations).data ?? {},
    /** Rows with the same value share unionids. */
    unionScope: unionScopeOf(row),
  });
}

/** The scope in force: the slug where none is written. */
export function unionScopeOf({ union_scope, slug }: IdentityProviderEntity): string {
  return union_scope === null || union_scope.trim() === '' ? slug : union_scope;
}
