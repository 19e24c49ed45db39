import { z } from 'zod';
import { line } from '../../config/options-schema.js';
import { randomAlphanumeric } from '../../crypto/random.js';
import { plainText } from '../../database/database-errors.js';
import { defineTable, key, nullable, now, text, timestamp, uuid } from '../../database/define-table.js';
import { defineList, equal, filter, prefixPattern, rowId, rowTime } from '../../database/list.js';
import { sql } from '../../database/sql.js';
import { permission } from '../../roles/roles.service.js';

/** `iam.api_keys`: a key by which a machine acts for a user, or as a service client. */
export const ApiKeyEntity = defineTable('api_keys', {
  columns: {
    id: key(uuid),
    /** The owner: a user, or else an application of type `service`. */
    user_id: nullable(uuid),
    client_id: nullable(text),
    name: text,
    /** Its beginning, by which people recognize it. */
    prefix: text,
    /** SHA-256 in base64url. */
    hash: text,
    permissions: { ...text, array: true, default: () => "'{}'" },
    created_at: now,
    /** Null: it does not expire. */
    expires_at: nullable(timestamp),
    /** To the minute. */
    last_used_at: nullable(timestamp),
    ended_at: nullable(timestamp),
    end_reason: nullable(text),
  },
  uniques: { api_keys_hash_key: ['hash'] },
  checks: {
    api_keys_owner_check: 'num_nonnulls(user_id, client_id) = 1',
    api_keys_end_check: '(ended_at IS NULL) = (end_reason IS NULL)',
  },
  indexes: {
    api_keys_user_id_idx: ['user_id', 'id'],
    api_keys_client_id_idx: ['client_id', 'id'],
    api_keys_expires_at_idx: ['expires_at'],
    api_keys_ended_at_idx: ['ended_at'],
  },
  references: {
    api_keys_user_id_fkey: { table: 'users', columns: { user_id: 'id' } },
    api_keys_client_id_fkey: { table: 'clients', columns: { client_id: 'id' }, onDelete: 'CASCADE' },
  },
});

/** So that secret scanners, and `Authentication`, tell it from an access token. */
const PREFIX = 'iamk_';
/** More than 256 bits. */
const LENGTH = 44;
/** Of these characters, six are no secret. */
const SHOWN = PREFIX.length + 6;
const form = new RegExp(`^${PREFIX}[A-Za-z0-9]{${LENGTH}}$`);

/** A new key, which nobody sees again. */
export const mintApiKey = (): string => `${PREFIX}${randomAlphanumeric(LENGTH)}`;

/** What of a key may be shown. */
export const shownOf = (apiKey: string): string => apiKey.slice(0, SHOWN);

/** True for a bearer token that can only be meant as an API key. */
export const isMeantAsApiKey = (token: string): boolean => token.startsWith(PREFIX);

/** True for a text that could be one of ours. */
export const hasFormOfApiKey = (token: string): boolean => form.test(token);

/** A key `k` that works, as far as its own row says. */
export const isLiveKeySql = sql`(k.ended_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))`;

/** A key as its owner sees it; never the key itself. */
export const apiKeyRow = z.object({
  id: rowId,
  name: z.string(),
  prefix: z.string().describe('How the key begins'),
  permissions: z.array(z.string()),
  live: z.boolean().describe('False: it has ended or expired'),
  created_at: rowTime,
  expires_at: rowTime.nullable().describe('null: never'),
  last_used_at: rowTime.nullable().describe('To the minute'),
  ended_at: rowTime.nullable(),
  end_reason: z.string().nullable(),
});

/** See `apiKeyRow`. */
export type ApiKey = z.infer<typeof apiKeyRow>;

/** The only response that has the key itself. */
export const madeApiKey = z.object({
  key: z.string().describe('It is never shown again'),
  api_key: apiKeyRow,
});

/** See `madeApiKey`. */
export type MadeApiKey = z.infer<typeof madeApiKey>;

/** The columns of `apiKeyRow`, of `iam.api_keys k`. */
export const apiKeyColumns = sql`k.id, k.name, k.prefix, k.permissions, ${isLiveKeySql} AS live, k.created_at, k.expires_at, k.last_used_at, k.ended_at, k.end_reason`;

/** Keys as administrators look for them. */
export const apiKeyList = defineList(
  {
    row: apiKeyRow.extend({
      user_id: rowId.nullable().describe('The owner, unless it is a service'),
      client_id: z.string().nullable().describe('The service that owns it'),
      owner_name: z.string().nullable().describe('Nickname, or the name of the service'),
    }),
    columns: sql`${apiKeyColumns}, k.user_id, k.client_id, COALESCE(
      (SELECT u.nickname FROM iam.users u WHERE u.id = k.user_id), (SELECT c.name FROM iam.clients c WHERE c.id = k.client_id)) AS owner_name`,
    from: sql`iam.api_keys k`,
    key: 'k.id',
  },
  {
    user: equal('k.user_id', z.uuid().describe('Id of a user')),
    client: equal('k.client_id', plainText(128).describe('client_id of a service')),
    q: filter(
      plainText(100).describe('The beginning of a name or key'),
      (start) =>
        sql`(lower(k.name) LIKE ${prefixPattern(start.toLowerCase())} OR starts_with(k.prefix, ${start}))`,
    ),
    live: filter(
      z.stringbool().describe('true: works; false: has ended or expired'),
      (live) => sql`${isLiveKeySql} = ${live}::boolean`,
    ),
  },
);

/** What is said of a key when it is made. */
export const newApiKey = z.strictObject({
  name: line(100).describe('What it is for'),
  permissions: z
    .array(permission)
    .max(100)
    .default([])
    .transform((permissions) => [...new Set(permissions)])
    .describe('What it may do: nothing that its owner may not'),
  expires_at: z.iso.datetime({ offset: true }).nullable().default(null).describe('null: it never expires'),
});

/** See `newApiKey`. */
export type NewApiKey = z.output<typeof newApiKey>;
