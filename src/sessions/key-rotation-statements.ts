import { sql, type Sql } from '../database/sql.js';
import { ALGORITHM, type SealedSigningKey } from './signing-key-material.js';

/** Rotations and revocations take turns; readers and sign-ins are not kept waiting. */
export const lockKeysSql = sql`LOCK TABLE iam.signing_keys IN SHARE ROW EXCLUSIVE MODE`;

/** Every key, the newest first. `current` signs now. */
export const listKeysSql = sql`
  SELECT kid, generation, created_at, active_at, retires_at,
         CASE
           WHEN retires_at <= clock_timestamp() THEN 'retired'
           WHEN active_at > clock_timestamp() THEN 'next'
           WHEN generation = (SELECT max(generation) FROM iam.signing_keys WHERE active_at <= clock_timestamp()) THEN 'signing'
           ELSE 'verifying'
         END AS state
  FROM iam.signing_keys ORDER BY generation DESC`;

/** A key that signs in so many seconds. */
export const insertKeySql = (key: SealedSigningKey, activateIn: number): Sql => sql`
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk, active_at)
  SELECT ${key.kid}, COALESCE(max(generation), 0) + 1, ${ALGORITHM}, ${key.publicJwk}::jsonb, ${key.privateJwk},
         clock_timestamp() + make_interval(secs => ${activateIn}::int)
  FROM iam.signing_keys`;

/** The first key of a database; many replicas may get here, and the unique generation keeps one. */
export const insertFirstKeySql = ({ kid, publicJwk, privateJwk }: SealedSigningKey): Sql => sql`
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk)
  VALUES (${kid}, 1, ${ALGORITHM}, ${publicJwk}, ${privateJwk}) ON CONFLICT DO NOTHING`;

/** The key signs in so many seconds at the latest. */
export const bringForwardSql = (kid: string, activateIn: number): Sql => sql`
  UPDATE iam.signing_keys SET active_at = LEAST(active_at, clock_timestamp() + make_interval(secs => ${activateIn}::int))
  WHERE kid = ${kid}`;

/**
 * When each key may go: the newest never, the others once the newest signs and the last of their tokens, which live so many
 * seconds, has ended. An earlier end that a key has stays.
 */
export const retireKeysSql = (overlapSeconds: number): Sql => sql`
  UPDATE iam.signing_keys k
  SET retires_at = CASE WHEN k.generation < n.generation
                   THEN LEAST(k.retires_at, n.active_at + make_interval(secs => ${overlapSeconds}::int)) END
  FROM (SELECT generation, active_at FROM iam.signing_keys ORDER BY generation DESC LIMIT 1) n`;

/** Removes the key. */
export const deleteKeySql = (kid: string): Sql => sql`DELETE FROM iam.signing_keys WHERE kid = ${kid}`;
