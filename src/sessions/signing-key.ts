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
import { hasRow, queryRows, type SqlExecutor, raw, sql, type Sql } from '../database/sql.js';
import type { SigningAlgorithm } from '../http/client-registry.service.js';

/**
 * `iam.signing_keys`: a generation of keys each, an EC pair and, once it was needed, an RSA pair. The unique `generation` lets one of
 * many starting replicas create the first.
 */
export const SigningKeyEntity = defineTable('signing_keys', {
  columns: {
    kid: key(text),
    generation: integer,
    algorithm: text,
    public_jwk: json,
    /** Sealed private JWK. */
    private_jwk: text,
    rs256_kid: nullable(text),
    rs256_public_jwk: nullable(json),
    /** As `private_jwk`. */
    rs256_private_jwk: nullable(text),
    /** Signs from this time on; published in the JWKS before, so that caches have the key in time. */
    active_at: now,
    /** Verifies until this time; null for the newest key. */
    retires_at: nullable(timestamp),
    created_at: now,
  },
  uniques: { signing_keys_generation_key: ['generation'], signing_keys_rs256_kid_key: ['rs256_kid'] },
  checks: {
    signing_keys_rs256_check:
      '(rs256_kid IS NULL) = (rs256_public_jwk IS NULL) AND (rs256_kid IS NULL) = (rs256_private_jwk IS NULL)',
  },
});

/** The algorithm of access tokens, unless their client asks for another. */
export const ALGORITHM = 'ES256';

/** What the private halves are sealed for; see `Sealer`. */
export const SIGNING_KEYS_PURPOSE = 'signing-keys';

/** A key pair that signs or verifies tokens, by its algorithm alone. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
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

/** The public keys in the form of RFC 7518 §6. */
export const ecJwk = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });
export const rsaJwk = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });

const member = z.string();
const privateJwk = z.discriminatedUnion('kty', [
  ecJwk.extend({ d: member }),
  rsaJwk.extend({ d: member, p: member, q: member, dp: member, dq: member, qi: member }),
]);

/** The columns of `iam.signing_keys` that make its key pairs. */
export const storedKeys = z.object({
  kid: z.string(),
  public_jwk: ecJwk,
  private_jwk: z.string(),
  rs256_kid: z.string().nullable(),
  rs256_public_jwk: rsaJwk.nullable(),
  rs256_private_jwk: z.string().nullable(),
});

export const storedKeysColumns = raw(Object.keys(storedKeys.shape).join(', '));

/** The context of a private key's seal; see `Sealer`. */
function signingKeyContext(kid: string): string {
  return `signing_keys/${kid}/private_jwk`;
}

/** Makes a key pair with a sealed private half. */
export async function generateSigningKey(
  sealer: Sealer,
  algorithm: SigningAlgorithm = ALGORITHM,
): Promise<SealedSigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    publicJwk: JSON.stringify(publicJwk),
    privateJwk: sealer.seal(JSON.stringify(await exportJWK(privateKey)), signingKeyContext(kid)),
  };
}

/** A key pair of a row. */
interface StoredPair {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: z.infer<typeof ecJwk> | z.infer<typeof rsaJwk>;
  readonly sealed: string;
}

/** The key pairs of a row: one, or two. */
export function pairsOf(row: z.infer<typeof storedKeys>): StoredPair[] {
  const { kid, public_jwk: publicJwk, private_jwk: sealed } = row;
  const ec: StoredPair = { kid, algorithm: ALGORITHM, publicJwk, sealed };
  const { rs256_kid: rsaKid, rs256_public_jwk: rsaPublic, rs256_private_jwk: rsaSealed } = row;
  if (rsaKid === null || rsaPublic === null || rsaSealed === null) return [ec];
  return [ec, { kid: rsaKid, algorithm: 'RS256', publicJwk: rsaPublic, sealed: rsaSealed }];
}

/** @throws SealError when none of the sealer's keys opens the pair */
export async function openSigningKey(sealer: Sealer, pair: StoredPair): Promise<SigningKey> {
  const { kid, algorithm, publicJwk, sealed } = pair;
  const clear: unknown = JSON.parse(sealer.open(sealed, signingKeyContext(kid)));
  return {
    kid,
    algorithm,
    publicJwk,
    publicKey: await importPublicKey(publicJwk, algorithm),
    privateKey: createPrivateKey({ key: privateJwk.parse(clear), format: 'jwk' }),
  };
}

async function importPublicKey(key: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const imported = await importJWK(key, algorithm);
  if (imported instanceof Uint8Array) throw new TypeError('a public key is never symmetric');
  return imported;
}

/** The first key of a database; of many replicas that get here, the unique generation keeps one. */
export const insertFirstKeySql = ({ kid, publicJwk, privateJwk }: SealedSigningKey): Sql => sql`
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk)
  VALUES (${kid}, 1, ${ALGORITHM}, ${publicJwk}, ${privateJwk}) ON CONFLICT DO NOTHING`;

/** The RSA pair of a generation; of many replicas that get here, the first one's stays. */
export const addRsaKeySql = (kid: string, rsa: SealedSigningKey): Sql => sql`
  UPDATE iam.signing_keys SET rs256_kid = ${rsa.kid}, rs256_public_jwk = ${rsa.publicJwk}::jsonb, rs256_private_jwk = ${rsa.privateJwk}
  WHERE kid = ${kid} AND rs256_kid IS NULL`;

/** The columns of a pair's `kid` and private half. */
const sealedColumns = {
  ES256: [raw('kid'), raw('private_jwk')],
  RS256: [raw('rs256_kid'), raw('rs256_private_jwk')],
} as const;

/**
 * Seals one signing key with the first of the configured keys. The condition on the old value, a digest because hosts may
 * log parameters, lets only one replica do it. False: there was nothing to do.
 */
export async function reencryptSigningKey(
  executor: SqlExecutor,
  sealer: Sealer,
  { kid, algorithm, sealed }: Omit<StoredPair, 'publicJwk'>,
): Promise<boolean> {
  const context = signingKeyContext(kid);
  if (!sealer.needsReencryption(sealed, context)) return false;
  const digest = createHash('sha256').update(sealed, 'utf8').digest();
  const [kidColumn, privateColumn] = sealedColumns[algorithm];
  return hasRow(
    executor,
    sql`WITH resealed AS (
       UPDATE iam.signing_keys SET ${privateColumn} = ${sealer.seal(sealer.open(sealed, context), context)}
       WHERE ${kidColumn} = ${kid} AND sha256(convert_to(${privateColumn}, 'UTF8')) = ${digest} RETURNING kid
     ) SELECT kid FROM resealed`,
  );
}

/** The signing keys, each with the key that sealed it and its re-encryption. */
export async function sealedSigningKeys(executor: SqlExecutor, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, SIGNING_KEYS_PURPOSE);
  const rows = await queryRows(executor, storedKeys, sql`SELECT ${storedKeysColumns} FROM iam.signing_keys`);
  return rows.flatMap(pairsOf).map((pair) => ({
    label: { kid: pair.kid },
    keyIds: [isSealed(pair.sealed) ? sealedWith(pair.sealed) : null],
    reencrypt: async (transaction: SqlExecutor) =>
      (await reencryptSigningKey(transaction, sealer, pair)) ? 1 : 0,
  }));
}
