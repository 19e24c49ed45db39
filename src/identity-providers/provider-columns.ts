import { z } from 'zod';
import { randomAlphanumeric } from '../crypto/random.js';
import type { SecretProperty } from './provider-secrets.js';

const printable = /^[\x21-\x7e]*$/;

const appid = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/^[\w-]*$/, { error: 'letters and digits, such as wx0123456789abcdef' })
  .nullish();
const secret = z
  .string()
  .trim()
  .min(1)
  .max(256)
  .regex(printable, { error: 'printable ASCII without spaces' })
  .refine((text) => !/^(plain|sealed):/.test(text), { error: 'the secret in clear, without a prefix' })
  .nullish();
/** Protocol section F. */
const token = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9]{3,32}$/, { error: '3 to 32 letters and digits' })
  .nullish();
const encodingAesKey = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9]{43}$/, { error: '43 letters and digits' })
  .nullish();
/** PostgreSQL refuses NUL and half a character, and nothing that a person reads has other control characters. */
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'no control characters' });

/** A row as an administrator writes it: keys are the columns of design section 3, secrets in clear. */
export const identityProviderInput = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'lower-case letters, digits, - and _, at most 63' }),
  name: line(100).optional(),
  enabled: z.boolean().optional(),
  sign_up: z.enum(['auto', 'bind', 'off']).optional(),
  open_app_id: appid,
  open_app_secret: secret,
  mp_app_id: appid,
  mp_app_secret: secret,
  mp_scope: z.enum(['snsapi_userinfo', 'snsapi_base']).optional(),
  mp_token: token,
  mp_token_previous: token,
  mp_encoding_aes_key: encodingAesKey,
  mp_encoding_aes_key_previous: encodingAesKey,
  mp_message_mode: z.enum(['safe', 'compatible', 'plain']).optional(),
  qr_enabled: z.boolean().optional(),
  qr_login_with: z.enum(['mp', 'open']).optional(),
  qr_confirmation: z.enum(['tap', 'number', 'none']).optional(),
  mini_app_id: appid,
  mini_app_secret: secret,
  mobile_app_id: appid,
  mobile_app_secret: secret,
  union_scope: line(64).nullish(),
});

/** Input of `IdentityProviders.save`; a key left out keeps its value (or its default in a new row). */
export type IdentityProviderInput = z.infer<typeof identityProviderInput>;

/** What may be changed of a row; null clears a column. */
export const identityProviderChanges = identityProviderInput.omit({ slug: true });

/** As `IdentityProviderInput`, of a row that is known otherwise. */
export type IdentityProviderChanges = z.infer<typeof identityProviderChanges>;

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
