import { z } from 'zod';
import {
  identityProviderChanges,
  identityProviderInput,
  isSharedSecret,
  rotatableSecrets,
} from '../../identity-providers/provider-columns.js';
import { pageQuery, pageOf } from '../page.js';
import { toEtag } from '../../http/etag.js';
import { plainText } from '../../database/database-errors.js';
import type { IamUrls } from '../../http/iam-urls.service.js';
import type { Language } from '../../http/user-agent.js';
import { unionScopeOf } from '../../identity-providers/identity-provider.js';
import { secretColumns, secretProperties } from '../../identity-providers/provider-secrets.js';
import type { OpenedProvider, StoredProvider } from '../../identity-providers/stored-providers.service.js';
import { checkItem, isProblem, toCheckItem } from '../../identity-providers/check/check-items.js';
import { checkRow, addressesOf } from '../../identity-providers/check/local-checks.js';

/** `GET /admin/providers`: sorted by slug. */
export const providerQuery = pageQuery.omit({ order: true }).extend({
  enabled: z.stringbool().optional().describe('Only those that are enabled, or that are not'),
  q: plainText(100).optional().describe('The beginning of a slug or name'),
});

/** `POST /admin/providers`. */
export const createProviderBody = identityProviderInput;

/** `PATCH /admin/providers/{slug}`: what is left out stays, null clears. */
export const updateProviderBody = identityProviderChanges;

/** `POST /admin/providers/{slug}/rotate`. */
export const rotateBody = z
  .strictObject({
    secret: z.enum(rotatableSecrets),
    value: z.string().optional().describe('Left out, a Token or EncodingAESKey is generated'),
  })
  .refine(({ secret, value }) => value !== undefined || isSharedSecret(secret), {
    path: ['value'],
    error: 'an AppSecret comes from WeChat',
  });

const text = z.string().nullable();
const secretColumnNames = secretProperties.map((property) => secretColumns[property]);

/** A provider as it is answered: of secrets only whether they are set. */
export const providerView = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  sign_up: z.string(),
  open_app_id: text,
  mp_app_id: text,
  mp_scope: z.string(),
  mp_message_mode: z.string(),
  qr_enabled: z.boolean(),
  qr_login_with: z.string(),
  qr_confirmation: z.string(),
  mini_app_id: text,
  mobile_app_id: text,
  union_scope: text,
  union_scope_in_force: z.string(),
  secrets: z.record(z.enum(secretColumnNames), z.boolean()),
  callback_url: z.string(),
  callback_domain: z.string(),
  webhook_url: z.string(),
  problems: z.array(checkItem),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  etag: z.string(),
});

/** `GET /admin/providers`. */
export const providerPage = pageOf(providerView);

/** `POST /admin/providers/{slug}/rotate`. */
export const rotationView = z.object({
  secret: z.enum(rotatableSecrets),
  value: z.string().optional().describe('The value that was generated; it is never shown again'),
  provider: providerView,
});

/** What a view needs to know besides the row. */
export interface ViewContext {
  readonly urls: IamUrls;
  readonly language: Language;
}

/** A row as it is answered; `problems` is what keeps it from working as far as the row alone tells. */
export function toProviderView(
  { row, version }: StoredProvider,
  opened: OpenedProvider,
  { urls, language }: ViewContext,
): z.infer<typeof providerView> {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    enabled: row.enabled,
    sign_up: row.signUp,
    open_app_id: row.openAppId,
    mp_app_id: row.mpAppId,
    mp_scope: row.mpScope,
    mp_message_mode: row.mpMessageMode,
    qr_enabled: row.qrEnabled,
    qr_login_with: row.qrLoginWith,
    qr_confirmation: row.qrConfirmation,
    mini_app_id: row.miniAppId,
    mobile_app_id: row.mobileAppId,
    union_scope: row.unionScope,
    union_scope_in_force: unionScopeOf(row),
    secrets: whichAreSet(row),
    ...addressesOf(urls, row.slug),
    problems: checkRow(opened)
      .filter(isProblem)
      .map((finding) => toCheckItem(finding, language)),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    etag: toEtag(version),
  };
}

type SecretsView = z.infer<typeof providerView>['secrets'];

function whichAreSet(row: StoredProvider['row']): SecretsView {
  const isSet = (property: (typeof secretProperties)[number]) =>
    row[property] !== null && row[property] !== '';
  return {
    open_app_secret: isSet('openAppSecret'),
    mp_app_secret: isSet('mpAppSecret'),
    mp_token: isSet('mpToken'),
    mp_token_previous: isSet('mpTokenPrevious'),
    mp_encoding_aes_key: isSet('mpEncodingAesKey'),
    mp_encoding_aes_key_previous: isSet('mpEncodingAesKeyPrevious'),
    mini_app_secret: isSet('miniAppSecret'),
    mobile_app_secret: isSet('mobileAppSecret'),
  };
}

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
