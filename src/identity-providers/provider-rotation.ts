import { randomAlphanumeric } from '../crypto/random.js';
import type { IdentityProviderChanges } from './identity-provider.input.js';
import type { SecretProperty } from './secret-columns.js';

/**
 * The two values that both sides hold, so that a change of them needs a time in which the old one still works: how long
 * a new one is (protocol section F), and where the old one goes.
 */
export const sharedSecrets = {
  mp_token: { length: 32, previous: 'mp_token_previous', property: 'mpToken', kept: 'mpTokenPrevious' },
  mp_encoding_aes_key: {
    length: 43,
    previous: 'mp_encoding_aes_key_previous',
    property: 'mpEncodingAesKey',
    kept: 'mpEncodingAesKeyPrevious',
  },
} as const satisfies Record<
  string,
  {
    readonly length: number;
    readonly previous: keyof IdentityProviderChanges;
    readonly property: SecretProperty;
    readonly kept: SecretProperty;
  }
>;

/** A value that both sides hold. */
export type SharedSecret = keyof typeof sharedSecrets;

/** The columns that can be rotated. */
export const rotatableSecrets = [
  'mp_token',
  'mp_encoding_aes_key',
  'open_app_secret',
  'mp_app_secret',
  'mini_app_secret',
  'mobile_app_secret',
] as const;

/** A column that can be rotated. */
export type RotatableSecret = (typeof rotatableSecrets)[number];

/** True for a value that we may choose ourselves; AppSecrets are WeChat's. */
export function isSharedSecret(secret: RotatableSecret): secret is SharedSecret {
  return secret in sharedSecrets;
}

/** A new random value of the form that WeChat's console takes. */
export function newSharedSecret(secret: SharedSecret): string {
  return randomAlphanumeric(sharedSecrets[secret].length);
}
