import { isSealed, type Sealer } from '../crypto/sealer.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';

/** The columns that hold a secret: entity property → column name, which the seal is bound to. */
export const secretColumns = {
  openAppSecret: 'open_app_secret',
  mpAppSecret: 'mp_app_secret',
  mpToken: 'mp_token',
  mpTokenPrevious: 'mp_token_previous',
  mpEncodingAesKey: 'mp_encoding_aes_key',
  mpEncodingAesKeyPrevious: 'mp_encoding_aes_key_previous',
  miniAppSecret: 'mini_app_secret',
  mobileAppSecret: 'mobile_app_secret',
} as const satisfies Partial<Record<keyof IdentityProviderEntity, string>>;

/** An entity property that holds a secret. */
export type SecretProperty = keyof typeof secretColumns;

/** Every `SecretProperty`. */
export const secretProperties = Object.keys(secretColumns).filter(isSecretProperty);

/** What provider secrets are sealed for; see `Sealer`. */
export const PROVIDER_SECRETS_PURPOSE = 'identity-providers';

const plainPrefix = 'plain:';

/** What a seal is bound to, so that a sealed secret moved to another row or column does not open there. */
export function secretContext(rowId: string, property: SecretProperty): string {
  return `identity_providers/${rowId}/${secretColumns[property]}`;
}

/** The secret of a column: sealed, or `plain:…` as written by hand in SQL. Throws on anything else. */
export function openSecret(
  sealer: Sealer,
  row: Pick<IdentityProviderEntity, 'id'> & Partial<Pick<IdentityProviderEntity, SecretProperty>>,
  property: SecretProperty,
): string | null {
  const stored = row[property] ?? null;
  if (stored === null || stored === '') return null;
  if (isPlain(stored)) return stored.slice(plainPrefix.length).trim();
  if (!isSealed(stored)) throw new TypeError(`${secretColumns[property]} is neither sealed nor plain:…`);
  return sealer.open(stored, secretContext(row.id, property));
}

/** True for a secret written by hand, and for one that opens with a key which is no longer the first. */
export function needsSeal(sealer: Sealer, row: IdentityProviderEntity, property: SecretProperty): boolean {
  const stored = row[property];
  if (stored === null) return false;
  if (isPlain(stored)) return true;
  return isSealed(stored) && sealer.needsReseal(stored, secretContext(row.id, property));
}

function isPlain(stored: string): boolean {
  return stored.startsWith(plainPrefix);
}

function isSecretProperty(key: string): key is SecretProperty {
  return key in secretColumns;
}
