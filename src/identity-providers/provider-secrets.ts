import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { KeyRing } from '../crypto/key-ring.js';
import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { hasRow, raw, sql, type SqlExecutor } from '../database/sql.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { secretColumnNames, type SecretColumn, type StoredColumns } from './provider-columns.js';

/** What provider secrets are sealed for; see `Sealer`. */
export const PROVIDER_SECRETS_PURPOSE = 'identity-providers';

const plainPrefix = 'plain:';

/** What a seal is bound to, so that a sealed secret moved to another row or column does not open there. */
export function secretContext(rowId: string, column: SecretColumn): string {
  return `identity_providers/${rowId}/${column}`;
}

/** The secret of a column: sealed, or `plain:…` as written by hand in SQL. Throws on anything else. */
export function openSecret(
  sealer: Sealer,
  row: Pick<IdentityProviderEntity, 'id'> & Partial<Pick<StoredColumns, SecretColumn>>,
  column: SecretColumn,
): string | null {
  const stored = row[column] ?? null;
  if (stored === null || stored === '') return null;
  if (isPlain(stored)) return stored.slice(plainPrefix.length).trim();
  if (!isSealed(stored)) throw new TypeError(`${column} is neither sealed nor plain:…`);
  return sealer.open(stored, secretContext(row.id, column));
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
  for (const column of secretColumnNames)
    if (needsSeal(sealer, row, column) && (await seal(executor, sealer, { row, column }))) sealed += 1;
  return sealed;
}

function needsSeal(sealer: Sealer, row: IdentityProviderEntity, column: SecretColumn): boolean {
  const stored = row[column] ?? '';
  return (
    isPlain(stored) || (isSealed(stored) && sealer.needsReencryption(stored, secretContext(row.id, column)))
  );
}

/**
 * Where an administrator or another replica has changed the secret meanwhile, the condition on the old value keeps theirs. It
 * compares digests, because the host may log the parameters of statements.
 */
async function seal(
  executor: SqlExecutor,
  sealer: Sealer,
  { row, column }: { readonly row: IdentityProviderEntity; readonly column: SecretColumn },
): Promise<boolean> {
  const sealed = sealer.seal(openSecret(sealer, row, column) ?? '', secretContext(row.id, column));
  const digest = createHash('sha256')
    .update(row[column] ?? '', 'utf8')
    .digest();
  const name = raw(column);
  const changed = await hasRow(
    executor,
    sql`WITH sealed AS (
       UPDATE iam.identity_providers SET ${name} = ${sealed}, updated_at = now()
       WHERE id = ${row.id} AND sha256(convert_to(${name}, 'UTF8')) = ${digest} RETURNING id
     ) SELECT id FROM sealed`,
  );
  row[column] = sealed;
  return changed;
}

function isPlain(stored: string): boolean {
  return stored.startsWith(plainPrefix);
}

/** The provider rows, each with the keys that sealed its secrets and its re-encryption. */
export async function sealedProviderRows(dataSource: DataSource, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, PROVIDER_SECRETS_PURPOSE);
  const rows = await dataSource.getRepository(IdentityProviderEntity).find();
  return rows.map((row) => ({
    label: { provider: row.slug },
    keyIds: secretColumnNames
      .map((column) => row[column] ?? '')
      .filter((stored) => stored !== '')
      .map((stored) => (isSealed(stored) ? sealedWith(stored) : null)),
    reencrypt: (executor: SqlExecutor) => sealSecrets(executor, sealer, row),
  }));
}
