import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { CryptoKey, JWK } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { exportJWK } from 'jose/key/export';
import { generateKeyPair } from 'jose/key/generate/keypair';
import { importJWK } from 'jose/key/import';
import { z } from 'zod';
import type { KeyRing } from '../crypto/key-ring.js';
import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { defineTable, integer, json, key, nullable, now, text, timestamp } from '../database/define-table.js';
import { hasRow, queryRows, type SqlExecutor, sql, type Sql } from '../database/sql.js';

/** `iam.signing_keys`. The unique `generation` lets one of many starting replicas create the first key. */
export const SigningKeyEntity = defineTable('signing_keys', {
  columns: {
    kid: key(text),
    generation: integer,
    algorithm: text,
    public_jwk: json,
    /** Sealed private JWK. */
    private_jwk: text,
    /** Signs from this time on; published in the JWKS before, so that caches have the key in time. */
    active_at: now,
    /** Verifies until this time; null for the newest key. */
    retires_at: nullable(timestamp),
    created_at: now,
  },
  uniques: { signing_keys_generation_key: ['generation'] },
});

/** The one algorithm of access tokens. */
export const ALGORITHM = 'ES256';

/** What the private halves are sealed for; see `Sealer`. */
export const SIGNING_KEYS_PURPOSE = 'signing-keys';

/** A key pair that signs or verifies access tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly publicKey: CryptoKey;
  readonly privateKey: KeyObject;
}

/** A new key pair, as it is stored. */
export interface SealedSigningKey {
  /** The thumbprint of the public key (RFC 7638). */
  readonly kid: string;
  /** JSON. */
  readonly publicJwk: string;
  /** Sealed JSON. */
  readonly privateJwk: string;
}

const jwk = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });

/** The columns of `iam.signing_keys` that make a key pair. */
export const storedKey = z.object({ kid: z.string(), public_jwk: jwk, private_jwk: z.string() });

/** The context of a private key's seal; see `Sealer`. */
function signingKeyContext(kid: string): string {
  return `signing_keys/${kid}/private_jwk`;
}

/** Makes a key pair with a sealed private half. */
export async function generateSigningKey(sealer: Sealer): Promise<SealedSigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    publicJwk: JSON.stringify(publicJwk),
    privateJwk: sealer.seal(JSON.stringify(await exportJWK(privateKey)), signingKeyContext(kid)),
  };
}

/** @throws SealError when none of the sealer's keys opens the row */
export async function openSigningKey(
  sealer: Sealer,
  { kid, public_jwk: publicJwk, private_jwk: sealed }: z.infer<typeof storedKey>,
): Promise<SigningKey> {
  const clear: unknown = JSON.parse(sealer.open(sealed, signingKeyContext(kid)));
  const privateJwk = jwk.extend({ d: z.string() }).parse(clear);
  return {
    kid,
    publicJwk,
    publicKey: await importEcKey(publicJwk),
    privateKey: createPrivateKey({ key: privateJwk, format: 'jwk' }),
  };
}

async function importEcKey(key: JWK): Promise<CryptoKey> {
  const imported = await importJWK(key, ALGORITHM);
  if (imported instanceof Uint8Array) throw new TypeError('an EC key is never symmetric');
  return imported;
}

/** The first key of a database; of many replicas that get here, the unique generation keeps one. */
export const insertFirstKeySql = ({ kid, publicJwk, privateJwk }: SealedSigningKey): Sql => sql`
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk)
  VALUES (${kid}, 1, ${ALGORITHM}, ${publicJwk}, ${privateJwk}) ON CONFLICT DO NOTHING`;

const sealedKey = z.object({ kid: z.string(), private_jwk: z.string() });

/**
 * Seals one signing key with the first of the configured keys. The condition on the old value, a digest because hosts may
 * log parameters, lets only one replica do it. False: there was nothing to do.
 */
export async function reencryptSigningKey(
  executor: SqlExecutor,
  sealer: Sealer,
  { kid, private_jwk: stored }: z.infer<typeof sealedKey>,
): Promise<boolean> {
  const context = signingKeyContext(kid);
  if (!sealer.needsReencryption(stored, context)) return false;
  const digest = createHash('sha256').update(stored, 'utf8').digest();
  return hasRow(
    executor,
    sql`WITH resealed AS (
       UPDATE iam.signing_keys SET private_jwk = ${sealer.seal(sealer.open(stored, context), context)}
       WHERE kid = ${kid} AND sha256(convert_to(private_jwk, 'UTF8')) = ${digest} RETURNING kid
     ) SELECT kid FROM resealed`,
  );
}

/** The signing keys, each with the key that sealed it and its re-encryption. */
export async function sealedSigningKeys(executor: SqlExecutor, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, SIGNING_KEYS_PURPOSE);
  const rows = await queryRows(executor, sealedKey, sql`SELECT kid, private_jwk FROM iam.signing_keys`);
  return rows.map((row) => ({
    label: { kid: row.kid },
    keyIds: [isSealed(row.private_jwk) ? sealedWith(row.private_jwk) : null],
    reencrypt: async (transaction: SqlExecutor) =>
      (await reencryptSigningKey(transaction, sealer, row)) ? 1 : 0,
  }));
}
