import type { PlainColumn, ProviderColumns, SecretColumn } from './provider-types.js';

/** A column that the form writes; `slug` only of a new row. */
export type FormColumn = 'slug' | PlainColumn | Exclude<SecretColumn, `${string}_previous`>;

interface FieldRule {
  /** Of the whole text; what is empty is judged by `isRequired`. */
  readonly pattern?: RegExp;
  readonly maxLength?: number;
}

/** A control of the form. `text` and `code` send null for an empty text, unless it is required. */
export type Field = { readonly column: FormColumn } & FieldRule &
  (
    | { readonly kind: 'text' | 'code'; readonly isRequired?: true }
    | { readonly kind: 'secret' }
    | { readonly kind: 'switch' }
    | { readonly kind: 'choice'; readonly options: readonly string[] }
  );

/** What has to be registered with WeChat: a value of the row that is copied, not written. */
export type Registration = 'callback_domain' | 'callback_url' | 'webhook_url' | 'ip_whitelist';

/** A kind of app that a row may hold. */
export const appKinds = ['open', 'mp', 'mini', 'mobile'] as const;
export type AppKind = (typeof appKinds)[number];

/** The tabs of a row, in order. */
export const tabNames = ['row', 'open', 'mp', 'follow', 'mini', 'mobile', 'advanced'] as const;
export type TabName = (typeof tabNames)[number];

/** A part of a tab under a heading. */
export interface Section {
  readonly id: string;
  readonly fields: readonly Field[];
  readonly registrations?: readonly Registration[];
}

const appid = { kind: 'code', pattern: /^[\w-]{1,64}$/ } as const;
const appSecret = { kind: 'secret', pattern: /^(?!plain:|sealed:)[\x21-\x7e]{1,256}$/ } as const;

/** Where each column of a row is written. `test/pages` compares the columns and rules with those of the server. */
export const tabs: Readonly<Record<TabName, readonly Section[]>> = {
  row: [
    {
      id: 'entry',
      fields: [
        { column: 'slug', kind: 'code', isRequired: true, pattern: /^[a-z0-9][a-z0-9_-]{0,62}$/ },
        { column: 'name', kind: 'text', isRequired: true, maxLength: 100 },
        { column: 'enabled', kind: 'switch' },
        { column: 'sign_up', kind: 'choice', options: ['auto', 'bind', 'off'] },
      ],
    },
  ],
  open: [
    {
      id: 'openApp',
      fields: [
        { column: 'open_app_id', ...appid },
        { column: 'open_app_secret', ...appSecret },
      ],
      registrations: ['callback_domain'],
    },
  ],
  mp: [
    {
      id: 'mpApp',
      fields: [
        { column: 'mp_app_id', ...appid },
        { column: 'mp_app_secret', ...appSecret },
        { column: 'mp_scope', kind: 'choice', options: ['snsapi_userinfo', 'snsapi_base'] },
      ],
      registrations: ['callback_domain', 'ip_whitelist'],
    },
    {
      id: 'mpServer',
      fields: [
        { column: 'mp_token', kind: 'secret', pattern: /^[A-Za-z0-9]{3,32}$/ },
        { column: 'mp_encoding_aes_key', kind: 'secret', pattern: /^[A-Za-z0-9]{43}$/ },
        { column: 'mp_message_mode', kind: 'choice', options: ['safe', 'compatible', 'plain'] },
      ],
      registrations: ['webhook_url'],
    },
  ],
  follow: [
    {
      id: 'follow',
      fields: [
        { column: 'qr_enabled', kind: 'switch' },
        { column: 'qr_with', kind: 'choice', options: ['follow', 'page', 'mini'] },
        { column: 'qr_login_with', kind: 'choice', options: ['mp', 'open'] },
        { column: 'qr_confirmation', kind: 'choice', options: ['tap', 'number', 'none'] },
      ],
    },
  ],
  mini: [
    {
      id: 'miniApp',
      fields: [
        { column: 'mini_app_id', ...appid },
        { column: 'mini_app_secret', ...appSecret },
        { column: 'mini_session_keys', kind: 'switch' },
        { column: 'mini_approval_page', kind: 'code', pattern: /^[\w-]+(\/[\w.-]+)*$/, maxLength: 128 },
        { column: 'mini_link', kind: 'choice', options: ['none', 'scheme'] },
      ],
      registrations: ['ip_whitelist'],
    },
  ],
  mobile: [
    {
      id: 'mobileApp',
      fields: [
        { column: 'mobile_app_id', ...appid },
        { column: 'mobile_app_secret', ...appSecret },
      ],
    },
  ],
  advanced: [{ id: 'advanced', fields: [{ column: 'union_scope', kind: 'text', maxLength: 64 }] }],
};

/** Every field, with its tab. */
export const allFields = tabNames.flatMap((tab) =>
  tabs[tab].flatMap(({ fields }) => fields.map((field) => ({ tab, field }))),
);

/** A new row as the server would complete it. */
export const newRow: ProviderColumns = {
  name: '',
  enabled: true,
  sign_up: 'auto',
  open_app_id: null,
  mp_app_id: null,
  mp_scope: 'snsapi_userinfo',
  mp_message_mode: 'safe',
  qr_enabled: false,
  qr_with: 'follow',
  qr_login_with: 'mp',
  qr_confirmation: 'tap',
  mini_app_id: null,
  mini_session_keys: false,
  mini_approval_page: null,
  mini_link: 'none',
  mobile_app_id: null,
  union_scope: null,
};

/** What stands beside an item of the check: a field, something to register, or the row as a whole. */
export type Place = FormColumn | `${AppKind}:${Registration}` | 'row';

const places: Readonly<Record<string, Place>> = {
  'row.enabled': 'enabled',
  'row.sign_up': 'sign_up',
  'row.union_scope': 'union_scope',
  'open.credentials': 'open_app_secret',
  'open.callback_domain': 'open:callback_domain',
  'mp.credentials': 'mp_app_secret',
  'mp.ip_whitelist': 'mp:ip_whitelist',
  'mp.oauth_domain': 'mp:callback_domain',
  'mp.qr_login': 'qr_enabled',
  'mp.qr_code': 'qr_enabled',
  'mini.code': 'mini_approval_page',
  'mp.webhook': 'mp:webhook_url',
  'mp.token': 'mp_token',
  'mp.encoding_aes_key': 'mp_encoding_aes_key',
  'mp.shared_keys': 'mp_token',
  'mp.message_mode': 'mp_message_mode',
  'mp.rotation': 'mp_token',
  'mini.credentials': 'mini_app_secret',
  'mini.ip_whitelist': 'mini:ip_whitelist',
  'mobile.credentials': 'mobile_app_secret',
};

/** Where an item of the check is shown; an item that is newer than this page concerns the row. */
export function placeOf(item: {
  readonly id: string;
  readonly facts: Readonly<Record<string, string>>;
}): Place {
  // Of an incomplete pair the finding names the half that is missing.
  const { missing } = item.facts;
  const half = allFields.find(({ field }) => field.column === missing);
  return half?.field.column ?? places[item.id] ?? 'row';
}

/** The tab of a column, or of a place. */
export function tabOf(place: string): TabName {
  const [kind] = place.split(':');
  const tab = tabNames.find((name) => place.includes(':') && name === kind);
  return tab ?? allFields.find(({ field }) => field.column === place)?.tab ?? 'row';
}

/** Why a text is refused, `refused` by the API; null: it is not. Secrets are judged only where one is written. */
export type Complaint = 'required' | 'pattern' | 'tooLong' | 'refused';

export function complaintOf(field: Field, text: string): Complaint | null {
  if (text === '')
    return (field.kind === 'text' || field.kind === 'code') && field.isRequired ? 'required' : null;
  if (field.maxLength !== undefined && text.length > field.maxLength) return 'tooLong';
  return field.pattern?.test(text) === false ? 'pattern' : null;
}
