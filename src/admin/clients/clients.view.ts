import { z } from 'zod';
import type { Client } from '../../http/client-registry.service.js';
import { toEtag } from '../../http/iam-response.js';
import { clientRow, type ClientRow } from '../../oauth/clients/client-columns.js';

/** Of secrets only whether they are there. */
export const clientView = clientRow
  .omit({ version: true, secret_hash: true, secret_hash_previous: true })
  .extend({
    source: z.enum(['code', 'database']).describe('`code`: of the option `clients`, read-only'),
    grants: z.array(z.string()).nullable().describe('null: every one'),
    has_secret: z.boolean(),
    has_previous_secret: z.boolean(),
    created_at: clientRow.shape.created_at.nullable(),
    updated_at: clientRow.shape.updated_at.nullable(),
    etag: z.string().nullable(),
  });
/** See `clientView`. */
export type ClientView = z.infer<typeof clientView>;

/** A server. */
export const clientExample: ClientView = {
  id: 'shop',
  name: '商城',
  logo_uri: null,
  client_uri: 'https://shop.example.com/',
  enabled: true,
  type: 'confidential',
  first_party: true,
  redirect_uris: ['https://shop.example.com/signed-in'],
  post_logout_redirect_uris: [],
  origins: [],
  backchannel_logout_uri: null,
  grants: ['authorization_code', 'refresh_token'],
  scopes: null,
  resources: [],
  providers: ['wechat'],
  tokens: 'bearer',
  sso: false,
  secret_created_at: '2026-01-31T08:00:00.000Z',
  jwks: null,
  jwks_uri: null,
  roles: [],
  subject_type: 'public',
  sector_identifier_uri: null,
  id_token_signed_response_alg: 'RS256',
  access_token_signed_response_alg: 'ES256',
  created_at: '2026-01-31T08:00:00.000Z',
  updated_at: '2026-01-31T08:00:00.000Z',
  source: 'database',
  has_secret: true,
  has_previous_secret: false,
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
};
/** An application of the database, as the admin API shows it. */
export function viewOfRow({ version, secret_hash, secret_hash_previous, ...row }: ClientRow): ClientView {
  return {
    ...row,
    source: 'database',
    has_secret: secret_hash !== null,
    has_previous_secret: secret_hash_previous !== null,
    etag: toEtag(version),
  };
}

/** One of the option `clients`. */
export function viewOfCode(client: Client): ClientView {
  const { id, name, tokens } = client;
  return {
    id,
    name,
    logo_uri: client.logoUri,
    client_uri: client.clientUri,
    enabled: client.isEnabled,
    type: client.type,
    first_party: client.isFirstParty,
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...client.postLogoutRedirectUris],
    origins: [...client.origins],
    backchannel_logout_uri: client.backchannelLogoutUri,
    grants: null,
    scopes: null,
    resources: [...client.resources],
    providers: [...client.providers],
    tokens,
    sso: client.hasSso,
    secret_created_at: null,
    jwks: null,
    jwks_uri: client.jwksUri,
    roles: [...client.roles],
    subject_type: client.subjectType,
    sector_identifier_uri: client.sectorIdentifierUri,
    id_token_signed_response_alg: client.idTokenAlgorithm,
    access_token_signed_response_alg: client.accessTokenAlgorithm,
    created_at: null,
    updated_at: null,
    source: 'code',
    has_secret: false,
    has_previous_secret: false,
    etag: null,
  };
}
