import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { KeyRing } from '../crypto/key-ring.js';
import { queryRow, type SqlExecutor, sql, raw } from '../database/sql.js';

/** The columns that hold a secret: entity property → column name, which the seal is bound to. */
export const secretColumns = {
  openAppSecret: 'open_app_secret',
  mpAppSecret: 'mp_app_secret',
  mpToken: 'mp_token',
  mpTokenPrevious: 'mp_token_previous',
  mpEncodingAesKey: 'mp_encoding_aes_key',
  mpEncodingAesKeyPrevious: 'mp_encoding_aes_key_previous',
  miniAppSecret: 'mini_app_secret',
  mobileAppSecret: 'mobile_app_secret',
} as const satisfies Partial<Record<keyof IdentityProviderEntity, string>>;

/** An entity property that holds a secret. */
export type SecretProperty = keyof typeof secretColumns;

/** Every `SecretProperty`. */
export const secretProperties = Object.keys(secretColumns).filter(isSecretProperty);

/** What provider secrets are sealed for; see `Sealer`. */
export const PROVIDER_SECRETS_PURPOSE = 'identity-providers';

const plainPrefix = 'plain:';

/** What a seal is bound to, so that a sealed secret moved to another row or column does not open there. */
export function secretContext(rowId: string, property: SecretProperty): string {
  return `identity_providers/${rowId}/${secretColumns[property]}`;
}

/** The secret of a column: sealed, or `plain:…` as written by hand in SQL. Throws on anything else. */
export function openSecret(
  sealer: Sealer,
  row: Pick<IdentityProviderEntity, 'id'> & Partial<Pick<IdentityProviderEntity, SecretProperty>>,
  property: SecretProperty,
): string | null {
  const stored = row[property] ?? null;
  if (stored === null || stored === '') return null;
  if (isPlain(stored)) return stored.slice(plainPrefix.length).trim();
  if (!isSealed(stored)) throw new TypeError(`${secretColumns[property]} is neither sealed nor plain:…`);
  return sealer.open(stored, secretContext(row.id, property));
}

/** True for a secret written by hand, and for one that opens with a key which is no longer the first. */
export function needsSeal(sealer: Sealer, row: IdentityProviderEntity, property: SecretProperty): boolean {
  const stored = row[property];
  if (stored === null) return false;
  if (isPlain(stored)) return true;
  return isSealed(stored) && sealer.needsReseal(stored, secretContext(row.id, property));
}

function isPlain(stored: string): boolean {
  return stored.startsWith(plainPrefix);
}

function isSecretProperty(key: string): key is SecretProperty {
  return key in secretColumns;
}

/**
 * Seals what was written by hand, and seals anew what an older key sealed, so that the host can retire that key; the number
 * of secrets that were. The row then holds the sealed texts.
 */
export async function sealSecrets(
  executor: SqlExecutor,
  sealer: Sealer,
  row: IdentityProviderEntity,
): Promise<number> {
  let sealed = 0;
  for (const property of secretProperties) {
    const stored = row[property];
    const isDue = stored !== null && needsSeal(sealer, row, property);
    if (isDue && (await seal(executor, sealer, { row, property, stored }))) sealed += 1;
  }
  return sealed;
}

interface StoredSecret {
  readonly row: IdentityProviderEntity;
  readonly property: SecretProperty;
  readonly stored: string;
}

/**
 * The condition on the old value keeps a concurrent change by an administrator or another replica. It compares digests,
 * because the host may log the parameters of statements.
 */
async function seal(executor: SqlExecutor, sealer: Sealer, secret: StoredSecret): Promise<boolean> {
  const { row, property, stored } = secret;
  const sealed = sealer.seal(openSecret(sealer, row, property) ?? '', secretContext(row.id, property));
  const column = raw(secretColumns[property]);
  const digest = createHash('sha256').update(stored, 'utf8').digest();
  const changed = await queryRow(
    executor,
    z.object({ id: z.string() }),
    sql`WITH sealed AS (
       UPDATE iam.identity_providers SET ${column} = ${sealed}, updated_at = now()
       WHERE id = ${row.id} AND sha256(convert_to(${column}, 'UTF8')) = ${digest} RETURNING id
     ) SELECT id FROM sealed`,
  );
  row[property] = sealed;
  return changed !== null;
}

/** The provider rows, each with the keys that sealed its secrets and its re-encryption. */
export async function sealedProviderRows(dataSource: DataSource, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, PROVIDER_SECRETS_PURPOSE);
  const rows = await dataSource.getRepository(IdentityProviderEntity).find();
  return rows.map((row) => ({
    label: { provider: row.slug },
    keyIds: secretProperties
      .map((property) => row[property] ?? '')
      .filter((stored) => stored !== '')
      .map((stored) => (isSealed(stored) ? sealedWith(stored) : null)),
    reencrypt: (executor: SqlExecutor) => sealSecrets(executor, sealer, row),
  }));
}
