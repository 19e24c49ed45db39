import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from 'jose';
import { z } from 'zod';
import type { Sealer } from '../crypto/sealer.js';

/** The one algorithm of access tokens. */
export const ALGORITHM = 'ES256';

/** What the private halves are sealed for; see `Sealer`. */
export const SIGNING_KEYS_PURPOSE = 'signing-keys';

/** A key pair that signs or verifies access tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

/** A new key pair as its row holds it. */
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

/** What a private key's seal is bound to. */
export function signingKeyContext(kid: string): string {
  return `signing_keys/${kid}/private_jwk`;
}

/** Makes a key pair whose private half nobody but the sealer's owner can read. */
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
    privateKey: await importEcKey(privateJwk),
  };
}

async function importEcKey(key: JWK): Promise<CryptoKey> {
  const imported = await importJWK(key, ALGORITHM);
  if (imported instanceof Uint8Array) throw new TypeError('an EC key is never symmetric');
  return imported;
}
