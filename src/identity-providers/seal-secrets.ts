import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { KeyRing } from '../crypto/key-ring.js';
import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { queryRow, type SqlExecutor, sql, raw } from '../database/sql.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import {
  needsSeal,
  openSecret,
  PROVIDER_SECRETS_PURPOSE,
  secretColumns,
  secretContext,
  secretProperties,
  type SecretProperty,
} from './secret-columns.js';

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
