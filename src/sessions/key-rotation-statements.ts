/** Rotations and revocations take turns; readers and sign-ins are not kept waiting. */
export const lockKeysSql = 'LOCK TABLE iam.signing_keys IN SHARE ROW EXCLUSIVE MODE';

/** Every key, the newest first. `current` signs now. */
export const listKeysSql = `
  SELECT kid, generation, created_at, active_at, retires_at,
         CASE
           WHEN retires_at <= clock_timestamp() THEN 'retired'
           WHEN active_at > clock_timestamp() THEN 'next'
           WHEN generation = (SELECT max(generation) FROM iam.signing_keys WHERE active_at <= clock_timestamp()) THEN 'signing'
           ELSE 'verifying'
         END AS state
  FROM iam.signing_keys ORDER BY generation DESC`;

/** $1 kid, $2 algorithm, $3 public and $4 sealed private JWK, $5 seconds until it signs. */
export const insertKeySql = `
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk, active_at)
  SELECT $1, COALESCE(max(generation), 0) + 1, $2, $3::jsonb, $4, clock_timestamp() + make_interval(secs => $5::int)
  FROM iam.signing_keys`;

/** $1 kid, $2 seconds until it signs at the latest. */
export const bringForwardSql = `
  UPDATE iam.signing_keys SET active_at = LEAST(active_at, clock_timestamp() + make_interval(secs => $2::int)) WHERE kid = $1`;

/**
 * When each key may go: the newest never, the others once the newest signs and the last of their tokens has ended. $1 seconds
 * for the latter. An earlier end that a key has stays.
 */
export const retireKeysSql = `
  UPDATE iam.signing_keys k
  SET retires_at = CASE WHEN k.generation < n.generation
                   THEN LEAST(k.retires_at, n.active_at + make_interval(secs => $1::int)) END
  FROM (SELECT generation, active_at FROM iam.signing_keys ORDER BY generation DESC LIMIT 1) n`;

/** $1 kid. */
export const deleteKeySql = 'DELETE FROM iam.signing_keys WHERE kid = $1';
