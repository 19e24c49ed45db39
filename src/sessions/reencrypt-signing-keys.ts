import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isSealed, sealedWith, type Sealer } from '../crypto/sealer.js';
import { queryRow, queryRows, type SqlExecutor, sql } from '../database/sql.js';
import { signingKeyContext } from './signing-key-material.js';

const sealedKey = z.object({ kid: z.string(), private_jwk: z.string() });

/** Which key sealed each signing key: one id per row of `iam.signing_keys`, null for a text that is not sealed. */
export async function signingKeySeals(executor: SqlExecutor): Promise<(string | null)[]> {
  const rows = await queryRows(executor, sealedKey, sql`SELECT kid, private_jwk FROM iam.signing_keys`);
  return rows.map(({ private_jwk: text }) => (isSealed(text) ? sealedWith(text) : null));
}

/**
 * Seals one signing key with the first of the configured keys, so that the others can be retired. The condition on the old
 * value, a digest because hosts may log parameters, lets one replica do it; false when there was nothing to do.
 */
export async function reencryptSigningKey(
  executor: SqlExecutor,
  sealer: Sealer,
  { kid, private_jwk: stored }: z.infer<typeof sealedKey>,
): Promise<boolean> {
  const context = signingKeyContext(kid);
  if (!sealer.needsReseal(stored, context)) return false;
  const digest = createHash('sha256').update(stored, 'utf8').digest();
  const row = await queryRow(
    executor,
    z.object({ kid: z.string() }),
    sql`WITH resealed AS (
       UPDATE iam.signing_keys SET private_jwk = ${sealer.seal(sealer.open(stored, context), context)}
       WHERE kid = ${kid} AND sha256(convert_to(private_jwk, 'UTF8')) = ${digest} RETURNING kid
     ) SELECT kid FROM resealed`,
  );
  return row !== null;
}
