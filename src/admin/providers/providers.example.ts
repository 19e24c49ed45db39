import type { z } from 'zod';
import type { providerView } from './providers.view.js';

/** A provider with an Official Account alone. */
export const providerExample: z.infer<typeof providerView> = {
  id: '0198c0de-0000-4000-8000-000000000001',
  slug: 'wechat',
  name: '微信',
  enabled: true,
  sign_up: 'auto',
  open_app_id: null,
  mp_app_id: 'wx0123456789abcdef',
  mp_scope: 'snsapi_userinfo',
  mp_message_mode: 'safe',
  qr_enabled: false,
  qr_login_with: 'mp',
  qr_confirmation: 'tap',
  mini_app_id: null,
  mobile_app_id: null,
  union_scope: null,
  union_scope_in_force: 'wechat',
  secrets: {
    open_app_secret: false,
    mp_app_secret: true,
    mp_token: false,
    mp_token_previous: false,
    mp_encoding_aes_key: false,
    mp_encoding_aes_key_previous: false,
    mini_app_secret: false,
    mobile_app_secret: false,
  },
  callback_url: 'https://app.example.com/iam/callback/wechat',
  callback_domain: 'app.example.com',
  webhook_url: 'https://app.example.com/iam/webhook/wechat',
  problems: [],
  created_at: '2026-01-31T08:00:00.000Z',
  updated_at: '2026-01-31T08:00:00.000Z',
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
};
