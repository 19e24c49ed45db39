import { z } from 'zod';
import {
  byColumn,
  factsOf,
  isSharedSecret,
  plainColumnNames,
  rotatableSecrets,
  secretColumnNames,
  secretColumns,
  type PlainColumn,
} from '../../identity-providers/provider-columns.js';
import { namesQuery, pageOf } from '../../database/list.js';
import { toEtag } from '../../http/iam-response.js';
import { plainText } from '../../database/database-errors.js';
import type { IamUrls } from '../../http/iam-urls.service.js';
import type { Language } from '../../http/user-agent.js';
import { unionScopeOf } from '../../identity-providers/identity-provider.js';
import type { OpenedProvider, StoredProvider } from '../../identity-providers/provider-rows.service.js';
import { checkItem, isProblem, toCheckItem } from '../../identity-providers/check/check-items.js';
import { checkRow, addressesOf } from '../../identity-providers/check/local-checks.js';

/** `GET /admin/providers`: sorted by slug. */
export const providerQuery = namesQuery.extend({
  enabled: z.stringbool().optional().describe('Only those that are enabled, or that are not'),
  q: plainText(100).optional().describe('The beginning of a slug or name'),
});

/** `POST /admin/providers/{slug}/rotate`; the value by the rule of its column. */
export const rotateBody = z
  .strictObject({
    secret: z.enum(rotatableSecrets),
    value: z.string().optional().describe('Left out, a Token or EncodingAESKey is generated'),
  })
  .refine(({ secret, value }) => value !== undefined || isSharedSecret(secret), {
    path: ['value'],
    error: 'an AppSecret comes from WeChat',
  })
  .transform(({ secret, value }, context) => {
    const { data, error } = secretColumns[secret].safeParse(value);
    for (const { message } of error?.issues ?? [])
      context.addIssue({ code: 'custom', path: ['value'], message });
    return { secret, value: data ?? undefined };
  });

const columnView = (name: PlainColumn): z.ZodType<string | boolean | null> => {
  const { default: initial, isNullable } = factsOf(name);
  if (typeof initial === 'boolean') return z.boolean();
  return isNullable ? z.string().nullable() : z.string();
};

/** `GET /admin/providers/{slug}`: of secrets only whether they are set. */
export const providerView = z.object({
  id: z.string(),
  slug: z.string(),
  ...byColumn(plainColumnNames, columnView),
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

/** See `providerView`. */
export type ProviderView = z.infer<typeof providerView>;

/** `GET /admin/providers`. */
export const providerPage = pageOf(providerView);

/** `POST /admin/providers/{slug}/rotate`. */
export const rotationView = z.object({
  secret: z.enum(rotatableSecrets),
  value: z.string().optional().describe('The value that was generated; it is never shown again'),
  provider: providerView,
});

/** For addresses and texts in the view. */
interface ViewContext {
  readonly urls: IamUrls;
  readonly language: Language;
}

/** Columns by the table of columns; `problems` are those that the row alone shows. */
export function toProviderView(
  { row, version }: StoredProvider,
  opened: OpenedProvider,
  { urls, language }: ViewContext,
): ProviderView {
  return {
    id: row.id,
    slug: row.slug,
    ...byColumn(plainColumnNames, (name) => row[name]),
    union_scope_in_force: unionScopeOf(row),
    secrets: byColumn(secretColumnNames, (name) => (row[name] ?? '') !== ''),
    ...addressesOf(urls, row.slug),
    problems: checkRow(opened)
      .filter(isProblem)
      .map((finding) => toCheckItem(finding, language)),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    etag: toEtag(version),
  };
}

/** For OpenAPI: a provider with an Official Account only. */
export const providerExample: ProviderView = {
  id: '0198c0de-0000-4000-8000-000000000001',
  slug: 'wechat',
  ...byColumn(plainColumnNames, (name) => factsOf(name).default ?? null),
  name: '微信',
  mp_app_id: 'wx0123456789abcdef',
  union_scope_in_force: 'wechat',
  secrets: { ...byColumn(secretColumnNames, () => false), mp_app_secret: true },
  callback_url: 'https://app.example.com/iam/callback/wechat',
  callback_domain: 'app.example.com',
  webhook_url: 'https://app.example.com/iam/webhook/wechat',
  problems: [],
  created_at: '2026-01-31T08:00:00.000Z',
  updated_at: '2026-01-31T08:00:00.000Z',
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
};
