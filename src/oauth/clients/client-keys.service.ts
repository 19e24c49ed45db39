import { createPublicKey, KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { CryptoKey, JWK, JWSHeaderParameters } from 'jose';
import { JWKSNoMatchingKey } from 'jose/errors';
import { createLocalJWKSet, type LocalJWKSet } from 'jose/jwks/local';
import { z } from 'zod';
import { reasonOf } from '../../errors/unknown.js';
import { type Client, proofOfAddress, proofOfKey } from '../../http/client-registry.service.js';
import { OutgoingCalls } from '../../http/outgoing-calls.service.js';
import { Clock } from '../../runtime/clock.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { SingleFlight } from '../../runtime/single-flight.js';

/** By which a client may sign: with a key pair. A MAC with a public key as its secret would be anybody's (RFC 8725 §2.1). */
export const clientAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
] as const;

const text = z.string().max(2_048).exactOptional();

/** What of a key is used (RFC 7517, RFC 7518 §6, RFC 8037); everything else is left out. */
const publicKey = z.object({
  kty: z.enum(['EC', 'RSA', 'OKP']),
  kid: text,
  alg: text,
  use: text,
  key_ops: z.array(z.string()).exactOptional(),
  crv: text,
  x: text,
  y: text,
  n: text,
  e: text,
});

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const curves: ReadonlySet<unknown> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

const signingKey = z
  .record(z.string(), z.unknown())
  .refine((jwk) => !privateMembers.some((name) => name in jwk), {
    error: 'expected public keys: this one is private',
  })
  .pipe(publicKey)
  .refine(({ use = 'sig' }) => use === 'sig', { error: 'expected a key for signatures' })
  .refine(canVerify, {
    error: 'expected a key on P-256, P-384 or P-521, of Ed25519, or of RSA with at least 2048 bits',
  });

/** The public keys of a client (RFC 7517 §5), as an administrator enters them. */
export const publicKeys = z
  .object({ keys: z.array(signingKey).min(1).max(20) })
  .refine(({ keys }) => haveNames(keys), {
    path: ['keys'],
    error: 'expected a `kid` of its own in each key',
  });

function canVerify(jwk: z.infer<typeof publicKey>): boolean {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
      key: jwk,
      format: 'jwk',
    });
    if (type === 'rsa') return (details?.modulusLength ?? 0) >= 2_048;
    return type === 'ed25519' || curves.has(details?.namedCurve);
  } catch {
    return false;
  }
}

function haveNames(keys: readonly z.infer<typeof publicKey>[]): boolean {
  const names = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined && kid !== '');
  return new Set(names).size === keys.length;
}

/** What a server publishes may have keys for other purposes too, which are passed over. */
const publishedKeys = z.object({ keys: z.array(z.unknown()).max(100) });

/** The keys at an address, as they were read last. */
interface Published {
  /** Null where no try has succeeded. */
  readonly keys: LocalJWKSet | null;
  /** Time of the last successful read. */
  readonly readAt: number;
  /** Time of the last read, successful or not. */
  readonly triedAt: number;
}

/** A key that its owner has withdrawn works no longer than this. */
const FRESH_MS = 300_000;
/** As long as their server does not respond, keys work for this long. */
const STALE_MS = 3_600_000;
/** Unknown keys, which anybody can name, and a dead server cause no more calls than this. */
const PAUSE_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const MOST_ADDRESSES = 1_000;

/** The public keys by which clients prove themselves: those of the row, or what their server publishes. */
@Injectable()
export class ClientKeys {
  private readonly logger = new IamLogger(ClientKeys.name);
  private readonly ofRows = new WeakMap<object, LocalJWKSet>();
  private readonly published = new Map<string, Published>();
  private readonly reads = new SingleFlight<Published>();

  constructor(
    private readonly calls: OutgoingCalls,
    private readonly clock: Clock,
  ) {}

  /** The key that a JWT of the client names. @throws JOSEError where it has no such key */
  async find(
    { jwks, jwksUri }: Pick<Client, 'jwks' | 'jwksUri'>,
    header: JWSHeaderParameters,
  ): Promise<CryptoKey> {
    if (jwks !== null) return this.ofRow(jwks)(header);
    if (jwksUri === null) throw new JWKSNoMatchingKey();
    const known = await this.current(jwksUri);
    try {
      return await this.usable(known)(header);
    } catch (error) {
      if (!(error instanceof JWKSNoMatchingKey)) throw error;
      const again = await this.read(jwksUri);
      if (again === known) throw error;
      return this.usable(again)(header);
    }
  }

  /** By what `key`, which `find` returned, has proven the client; see `credentialOf`. @throws JWKSNoMatchingKey */
  proofOf({ jwks, jwksUri }: Pick<Client, 'jwks' | 'jwksUri'>, key: CryptoKey): string {
    if (jwks === null && jwksUri !== null) return proofOfAddress(jwksUri);
    const used = KeyObject.from(key);
    const isUsed = (jwk: JWK) => createPublicKey({ key: jwk, format: 'jwk' }).equals(used);
    const jwk = jwks === null ? undefined : this.ofRow(jwks).jwks().keys.find(isUsed);
    if (jwk === undefined) throw new JWKSNoMatchingKey();
    return proofOfKey(jwk);
  }

  private ofRow(jwks: object): LocalJWKSet {
    const keys = this.ofRows.get(jwks) ?? createLocalJWKSet(publicKeys.parse(jwks));
    this.ofRows.set(jwks, keys);
    return keys;
  }

  private usable({ keys, readAt }: Published): LocalJWKSet {
    if (keys === null || this.clock.elapsed() - readAt > STALE_MS) throw new JWKSNoMatchingKey();
    return keys;
  }

  private async current(uri: string): Promise<Published> {
    const known = this.published.get(uri);
    const isFresh = known?.keys != null && this.clock.elapsed() - known.readAt < FRESH_MS;
    return isFresh ? known : this.read(uri);
  }

  /** Reads the address; within the pause after a read, returns what is known. */
  private async read(uri: string): Promise<Published> {
    const known = this.published.get(uri);
    if (known !== undefined && this.clock.elapsed() - known.triedAt < PAUSE_MS) return known;
    return this.reads.run(uri, async () => {
      const triedAt = this.clock.elapsed();
      const keys = await this.fetch(uri);
      const read =
        keys === null
          ? { keys: known?.keys ?? null, readAt: known?.readAt ?? triedAt, triedAt }
          : { keys, readAt: triedAt, triedAt };
      this.published.delete(uri);
      this.published.set(uri, read);
      const [oldest] = this.published.keys();
      if (this.published.size > MOST_ADDRESSES && oldest !== undefined) this.published.delete(oldest);
      return read;
    });
  }

  /** Null where there are none. */
  private async fetch(uri: string): Promise<LocalJWKSet | null> {
    try {
      const { status, body } = await this.calls.send({ url: uri, maxBytes: MAX_BYTES });
      if (status !== 200) throw new Error(`the response has the status ${status}`);
      const all = publishedKeys.parse(JSON.parse(body.toString('utf8')));
      const keys = all.keys.flatMap((key) => signingKey.safeParse(key).data ?? []);
      return createLocalJWKSet({ keys });
    } catch (error) {
      this.logger.warn(`no keys of an application at ${uri}: ${reasonOf(error)}`);
      return null;
    }
  }
}
