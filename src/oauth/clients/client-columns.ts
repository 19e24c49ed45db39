import { z } from 'zod';
import { isLocalHost } from '../../config/endpoints.js';
import { absoluteUrl, line, origin } from '../../config/options-schema.js';
import {
  boolean,
  defineTable,
  json,
  key,
  nullable,
  now,
  text,
  timestamp,
} from '../../database/define-table.js';
import { rowTime } from '../../database/list.js';
import { supportedScopes } from '../openid/scopes.js';
import { signingAlgorithms, type Client } from '../../http/client-registry.service.js';
import { publicKeys } from './client-keys.service.js';

const texts = { ...text, array: true, default: () => "'{}'" };

/** Of a user's id. */
export const uuidForm = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

/** `iam.clients`: the applications that an administrator has registered. */
export const ClientEntity = defineTable('clients', {
  columns: {
    /** The `client_id`. */
    id: key(text),
    name: text,
    logo_uri: nullable(text),
    client_uri: nullable(text),
    enabled: { ...boolean, default: true },
    type: { ...text, default: 'public' },
    first_party: { ...boolean, default: true },
    redirect_uris: texts,
    post_logout_redirect_uris: texts,
    origins: texts,
    backchannel_logout_uri: nullable(text),
    grants: { ...texts, default: () => "'{authorization_code,refresh_token}'" },
    scopes: nullable({ ...text, array: true }),
    resources: texts,
    providers: texts,
    tokens: { ...text, default: 'bearer' },
    sso: { ...boolean, default: false },
    /** SHA-256 in base64url. */
    secret_hash: nullable(text),
    secret_hash_previous: nullable(text),
    secret_created_at: nullable(timestamp),
    jwks: nullable(json),
    jwks_uri: nullable(text),
    roles: texts,
    subject_type: { ...text, default: 'public' },
    sector_identifier_uri: nullable(text),
    id_token_signed_response_alg: { ...text, default: 'RS256' },
    access_token_signed_response_alg: { ...text, default: 'ES256' },
    created_at: now,
    updated_at: now,
  },
  checks: {
    clients_id_check: "id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'",
    clients_type_check: "type IN ('public', 'confidential', 'service')",
    clients_tokens_check: "tokens IN ('bearer', 'cookie')",
    clients_subject_type_check: "subject_type IN ('public', 'pairwise')",
    clients_id_token_alg_check: "id_token_signed_response_alg IN ('RS256', 'ES256')",
    clients_access_token_alg_check: "access_token_signed_response_alg IN ('RS256', 'ES256')",
    clients_secret_check: "type <> 'public' OR (secret_hash IS NULL AND secret_hash_previous IS NULL)",
    clients_previous_secret_check: 'secret_hash_previous IS NULL OR secret_hash IS NOT NULL',
    clients_cookie_check: "tokens = 'bearer' OR type = 'public'",
    clients_service_check: `type <> 'service' OR (grants = '{client_credentials}' AND redirect_uris = '{}' AND id !~* '${uuidForm}')`,
    clients_person_check: "type = 'service' OR ('client_credentials' <> ALL (grants) AND roles = '{}')",
    clients_third_party_check:
      "first_party OR (type <> 'service' AND tokens = 'bearer' AND grants <@ '{authorization_code,refresh_token}'::text[])",
    clients_pairwise_check: "subject_type = 'public' OR NOT first_party",
  },
});

/** The grants that an application may have. */
export const clientGrants = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:wechat:grant:mini_program',
  'urn:wechat:grant:mobile_app',
] as const;

const webPage = z.string().max(2048).pipe(absoluteUrl).nullish();
/** Entries may repeat until they are written: a refusal counts them as they came. */
const set = <T extends z.ZodType<string>>(item: T) => z.array(item).max(100).optional();

/** Where this server itself asks or tells. */
const secureUrl = z
  .string()
  .max(2048)
  .pipe(absoluteUrl)
  // Also asked of what is no URL, which is said already.
  .refine((url) => url.startsWith('https:') || (URL.canParse(url) && isLocalHost(new URL(url).hostname)), {
    error: 'an https URL; http is for this machine only',
  });

/** What may be changed of an application; a member that is left out stays, null clears. */
export const clientChanges = z.strictObject({
  name: line(100)
    .optional()
    .describe('What people read of where they sign in; an own application without one is shown as the site'),
  logo_uri: webPage,
  client_uri: webPage.describe('Its home page'),
  enabled: z.boolean().optional().describe('Whether people can sign in to it, or a service gets tokens'),
  first_party: z
    .boolean()
    .optional()
    .describe('false: of a third party, which gets what people agree to and nothing of our own API'),
  redirect_uris: set(z.string().max(2048).pipe(absoluteUrl)).describe('Compared exactly'),
  post_logout_redirect_uris: set(z.string().max(2048).pipe(absoluteUrl)).describe(
    'Where people may return once they have signed out; compared exactly',
  ),
  backchannel_logout_uri: secureUrl
    .nullish()
    .describe('Where it is told of sessions that have ended (https; http for this machine alone)'),
  origins: set(origin).describe('Whose scripts may call the endpoints (CORS)'),
  grants: set(z.enum(clientGrants)).describe('Of a service always `client_credentials` alone'),
  providers: set(z.string().min(1).max(63)).describe(
    'Slugs of the providers through which people may come to it; empty: all',
  ),
  resources: set(z.string().max(2048)).describe(
    'Identifiers of the option `resources`: the APIs that it may ask access tokens for',
  ),
  tokens: z.enum(['bearer', 'cookie']).optional(),
  sso: z
    .boolean()
    .optional()
    .describe('Whether a person who is signed in in the browser comes in without WeChat being asked again'),
  scopes: set(z.enum(supportedScopes)).nullable().describe('What it may ask for; null: every scope'),
  id_token_signed_response_alg: z.enum(signingAlgorithms).optional(),
  access_token_signed_response_alg: z.enum(signingAlgorithms).optional(),
  jwks: publicKeys
    .nullish()
    .describe('Public keys of a confidential application, which then proves itself by `private_key_jwt`'),
  jwks_uri: secureUrl.nullish().describe('In place of `jwks`: where it publishes them'),
  roles: set(z.string().min(1).max(63)).describe('Of a service: what its tokens and API keys may do'),
  subject_type: z
    .enum(['public', 'pairwise'])
    .optional()
    .describe('`pairwise`: a third party gets other `sub`s than those of other hosts'),
  sector_identifier_uri: secureUrl
    .nullish()
    .describe('With pairwise subjects of several hosts: a JSON array of all redirect URIs'),
});

/** An application as it is registered; `id` and `type` stay for good. */
export const newClient = clientChanges.extend({
  id: z.string().regex(/^[A-Za-z0-9][\w.-]{0,127}$/, { error: 'letters, digits, . _ and -, at most 128' }),
  type: z
    .enum(['public', 'confidential', 'service'])
    .default('public')
    .describe('`confidential`: a server with a secret; `service`: a machine, to which nobody signs in'),
});

/** See `clientChanges`. */
export type ClientChanges = z.output<typeof clientChanges>;

/** See `newClient`. */
export type NewClient = z.output<typeof newClient>;

/** A row of `iam.clients` with its version (see `versionSql`). */
export const clientRow = z.object({
  id: z.string(),
  name: z.string(),
  logo_uri: z.string().nullable(),
  client_uri: z.string().nullable(),
  enabled: z.boolean(),
  type: z.enum(['public', 'confidential', 'service']),
  first_party: z.boolean(),
  redirect_uris: z.array(z.string()),
  post_logout_redirect_uris: z.array(z.string()),
  origins: z.array(z.string()),
  backchannel_logout_uri: z.string().nullable(),
  grants: z.array(z.string()),
  scopes: z.array(z.string()).nullable(),
  resources: z.array(z.string()),
  providers: z.array(z.string()),
  tokens: z.enum(['bearer', 'cookie']),
  sso: z.boolean(),
  secret_hash: z.string().nullable(),
  secret_hash_previous: z.string().nullable(),
  secret_created_at: rowTime.nullable(),
  jwks: z.record(z.string(), z.unknown()).nullable(),
  jwks_uri: z.string().nullable(),
  roles: z.array(z.string()),
  subject_type: z.enum(['public', 'pairwise']),
  sector_identifier_uri: z.string().nullable(),
  id_token_signed_response_alg: z.enum(signingAlgorithms),
  access_token_signed_response_alg: z.enum(signingAlgorithms),
  created_at: rowTime,
  updated_at: rowTime,
  version: z.string(),
});

/** See `clientRow`. */
export type ClientRow = z.infer<typeof clientRow>;

/** The row as sign-ins see it. */
export function clientOf(row: ClientRow): Client {
  return {
    id: row.id,
    name: row.name,
    source: 'database',
    logoUri: row.logo_uri,
    clientUri: row.client_uri,
    isEnabled: row.enabled,
    type: row.type,
    isFirstParty: row.first_party,
    redirectUris: row.redirect_uris,
    postLogoutRedirectUris: row.post_logout_redirect_uris,
    origins: row.origins,
    backchannelLogoutUri: row.backchannel_logout_uri,
    grants: row.grants,
    scopes: row.scopes,
    resources: row.resources,
    providers: row.providers,
    tokens: row.tokens,
    hasSso: row.sso,
    secretHashes: [row.secret_hash, row.secret_hash_previous].filter((hash) => hash !== null),
    jwks: row.jwks,
    jwksUri: row.jwks_uri,
    roles: row.roles,
    subjectType: row.subject_type,
    sectorIdentifierUri: row.sector_identifier_uri,
    idTokenAlgorithm: row.id_token_signed_response_alg,
    accessTokenAlgorithm: row.access_token_signed_response_alg,
    since: new Date(row.created_at),
  };
}
