import { Secret } from '../crypto/secret.js';
import type { Sealer } from '../crypto/sealer.js';
import type { WechatApp, WechatAppKind } from '../wechat/wechat-call.js';
import { readConfirmations } from './confirmations.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';
import { identityProviderInput } from './identity-provider.input.js';
import type { IdentityProvider } from './identity-provider.js';
import { openSecret, type SecretProperty } from './secret-columns.js';

const enums = identityProviderInput.pick({
  sign_up: true,
  mp_scope: true,
  mp_message_mode: true,
  qr_login_with: true,
  qr_confirmation: true,
});

/** Opens a row's secrets and fills in its defaults. Throws when a secret does not open or a value is not of its list. */
export function readRow(row: IdentityProviderEntity, sealer: Sealer): IdentityProvider {
  const chosen = enums.required().parse({
    sign_up: row.signUp,
    mp_scope: row.mpScope,
    mp_message_mode: row.mpMessageMode,
    qr_login_with: row.qrLoginWith,
    qr_confirmation: row.qrConfirmation,
  });
  const secret = (property: SecretProperty) => secretOf(row, sealer, property);
  return Object.freeze({
    id: row.id,
    slug: row.slug,
    name: row.name,
    enabled: row.enabled,
    signUp: chosen.sign_up,
    open: app('open', row.openAppId, secret('openAppSecret')),
    mp: app('mp', row.mpAppId, secret('mpAppSecret')),
    mini: app('mini', row.miniAppId, secret('miniAppSecret')),
    mobile: app('mobile', row.mobileAppId, secret('mobileAppSecret')),
    mpScope: chosen.mp_scope,
    mpServer: {
      mode: chosen.mp_message_mode,
      tokens: present([secret('mpToken'), secret('mpTokenPrevious')]),
      encodingAesKeys: present([secret('mpEncodingAesKey'), secret('mpEncodingAesKeyPrevious')]),
    },
    qr: { enabled: row.qrEnabled, loginWith: chosen.qr_login_with, confirmation: chosen.qr_confirmation },
    confirmations: readConfirmations(row.confirmations),
    unionScope: unionScopeOf(row),
  });
}

/** The scope in force: the slug where none is written. */
export function unionScopeOf({ unionScope, slug }: IdentityProviderEntity): string {
  return unionScope === null || unionScope.trim() === '' ? slug : unionScope;
}

function secretOf(row: IdentityProviderEntity, sealer: Sealer, property: SecretProperty): Secret | null {
  const clear = openSecret(sealer, row, property);
  return clear === null || clear === '' ? null : new Secret(clear);
}

function app(kind: WechatAppKind, appid: string | null, secret: Secret | null): WechatApp | null {
  const id = appid?.trim() ?? '';
  return id === '' || secret === null ? null : { kind, appid: id, secret };
}

function present(secrets: readonly (Secret | null)[]): Secret[] {
  return secrets.filter((secret) => secret !== null);
}
