import { z } from 'zod';

const appid = z.string().trim().min(1).max(64).nullish();
const secret = z.string().trim().min(1).max(256).nullish();

/** A row as an administrator writes it: keys are the columns of design section 3, secrets in clear. */
export const identityProviderInput = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'lower-case letters, digits, - and _, at most 63' }),
  name: z.string().trim().min(1).max(100).optional(),
  enabled: z.boolean().optional(),
  sign_up: z.enum(['auto', 'bind', 'off']).optional(),
  open_app_id: appid,
  open_app_secret: secret,
  mp_app_id: appid,
  mp_app_secret: secret,
  mp_scope: z.enum(['snsapi_userinfo', 'snsapi_base']).optional(),
  mp_token: secret,
  mp_token_previous: secret,
  mp_encoding_aes_key: secret,
  mp_encoding_aes_key_previous: secret,
  mp_message_mode: z.enum(['safe', 'compatible', 'plain']).optional(),
  qr_enabled: z.boolean().optional(),
  qr_login_with: z.enum(['mp', 'open']).optional(),
  qr_confirmation: z.enum(['tap', 'number', 'none']).optional(),
  mini_app_id: appid,
  mini_app_secret: secret,
  mobile_app_id: appid,
  mobile_app_secret: secret,
  union_scope: z.string().trim().min(1).max(64).nullish(),
});

/** Input of `IdentityProviders.save`; a key left out keeps its value (or its default in a new row). */
export type IdentityProviderInput = z.infer<typeof identityProviderInput>;
