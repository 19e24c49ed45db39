const appid = { kind: 'text', pattern: '[\\w\\-]{1,64}', canClear: true, isCode: true };
const appSecret = { kind: 'secret', pattern: '[\\x21-\\x7e]{1,256}' };

/** The columns of a provider's row, in the order in which a form asks for them, with the forms that the API takes. */
export const groups = [
  {
    id: 'entry',
    fields: [
      { column: 'slug', kind: 'text', pattern: '[a-z0-9][a-z0-9_\\-]{0,62}', isRequired: true, isCode: true },
      { column: 'name', kind: 'text', maxlength: 100, isRequired: true },
      { column: 'enabled', kind: 'switch', initial: true },
      { column: 'sign_up', kind: 'choice', options: ['auto', 'bind', 'off'] },
      { column: 'union_scope', kind: 'text', maxlength: 64, canClear: true },
    ],
  },
  {
    id: 'open',
    fields: [
      { column: 'open_app_id', ...appid },
      { column: 'open_app_secret', ...appSecret },
    ],
  },
  {
    id: 'mp',
    fields: [
      { column: 'mp_app_id', ...appid },
      { column: 'mp_app_secret', ...appSecret },
      { column: 'mp_scope', kind: 'choice', options: ['snsapi_userinfo', 'snsapi_base'] },
    ],
  },
  {
    id: 'server',
    fields: [
      { column: 'mp_token', kind: 'secret', pattern: '[A-Za-z0-9]{3,32}' },
      { column: 'mp_encoding_aes_key', kind: 'secret', pattern: '[A-Za-z0-9]{43}' },
      { column: 'mp_message_mode', kind: 'choice', options: ['safe', 'compatible', 'plain'] },
    ],
  },
  {
    id: 'qr',
    fields: [
      { column: 'qr_enabled', kind: 'switch', initial: false },
      { column: 'qr_login_with', kind: 'choice', options: ['mp', 'open'] },
      { column: 'qr_confirmation', kind: 'choice', options: ['tap', 'number', 'none'] },
    ],
  },
  {
    id: 'mini',
    fields: [
      { column: 'mini_app_id', ...appid },
      { column: 'mini_app_secret', ...appSecret },
    ],
  },
  {
    id: 'mobile',
    fields: [
      { column: 'mobile_app_id', ...appid },
      { column: 'mobile_app_secret', ...appSecret },
    ],
  },
];
