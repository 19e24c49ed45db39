import { z } from 'zod';
import type { IamUrls } from '../../http/iam-urls.service.js';
import type { Language } from '../../http/language.js';
import { unionScopeOf } from '../../identity-providers/identity-provider.js';
import { rotatableSecrets } from '../../identity-providers/provider-columns.js';
import { secretColumns, secretProperties } from '../../identity-providers/provider-secrets.js';
import type { OpenedProvider, StoredProvider } from '../../identity-providers/stored-providers.service.js';
import { checkItem, isProblem, toCheckItem } from '../../identity-providers/check/check-items.js';
import { checkRow, addressesOf } from '../../identity-providers/check/local-checks.js';
import { toEtag } from '../../http/etag.js';
import { pageOf } from '../page.js';

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
