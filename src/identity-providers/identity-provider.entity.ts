import { defineTable, json, key, nullable, now, text, uuid } from '../database/define-table.js';
import {
  byColumn,
  factsOf,
  type PlainColumn,
  plainColumnNames,
  secretColumnNames,
  type StoredColumns,
} from './provider-columns.js';

/** A row of `iam.identity_providers`: one WeChat set-up. */
export interface IdentityProviderEntity extends StoredColumns {
  readonly id: string;
  readonly slug: string;
  /** Which pairs WeChat has confirmed: see `readRow`. */
  readonly confirmations: unknown;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Maps a column as its line of the table says. */
function plain(name: PlainColumn) {
  const { default: initial, isNullable } = factsOf(name);
  const type = typeof initial === 'boolean' ? 'boolean' : 'text';
  return { type, nullable: isNullable, ...(initial !== undefined && { default: initial }) } as const;
}

/** The list of a choice as a CHECK. */
function checkOf(name: PlainColumn): [name: string, check: string][] {
  const list = factsOf(name).options?.map((option) => `'${option}'`);
  return list === undefined ? [] : [[`identity_providers_${name}_check`, `${name} IN (${list.join(', ')})`]];
}

/** What goes with following alone; see `refuseContradictions`. */
const qrRules = {
  identity_providers_qr_open_step_check: "qr_with = 'follow' OR qr_login_with = 'mp'",
  identity_providers_qr_consent_check: "qr_with = 'follow' OR qr_confirmation <> 'none'",
};

/** See `IdentityProviderEntity`. */
export const IdentityProviderEntity = defineTable<IdentityProviderEntity>('identity_providers', {
  columns: {
    /** TypeORM drops the casts; a bare `gen_random_uuid()` it would take for a column of its own making and try to change. */
    id: { ...key(uuid), default: () => '((gen_random_uuid()))' },
    slug: text,
    ...byColumn(plainColumnNames, plain),
    ...byColumn(secretColumnNames, () => nullable(text)),
    confirmations: { ...json, default: () => "'{}'" },
    created_at: now,
    updated_at: { ...now, updateDate: true },
  },
  uniques: { identity_providers_slug_key: ['slug'] },
  checks: {
    identity_providers_slug_check: "slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'",
    ...Object.fromEntries(plainColumnNames.flatMap(checkOf)),
    ...qrRules,
  },
});
