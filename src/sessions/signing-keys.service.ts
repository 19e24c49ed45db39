import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from 'jose';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../clock.js';
import { SealError, Sealer } from '../crypto/sealer.js';
import { execute, queryRows } from '../database/query-rows.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';

const ALGORITHM = 'ES256';
/** An unknown `kid` makes this process read the keys again at most this often. */
const RELOAD_MS = 10_000;

/** A key pair that signs or verifies access tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

const jwk = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });
const stored = z.object({ kid: z.string(), public_jwk: jwk, private_jwk: z.string() });

/** The keys of access tokens: in PostgreSQL, private halves sealed, created once however many replicas start together. */
@Injectable()
export class SigningKeys implements OnApplicationBootstrap {
  private readonly logger = new Logger(SigningKeys.name);
  private readonly sealer: Sealer;
  private keys: readonly SigningKey[] = [];
  private loading: Promise<void> | undefined;
  private loadedAt = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, 'signing-keys');
  }

  /** Finds out at start-up, and not at the first sign-in, that the host's `keys` are not the ones of this database. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.load();
    } catch (cause) {
      if (cause instanceof SealError) throw wrongKeys(cause);
      this.logger.warn(`signing keys are not there yet (have the migrations run?): ${String(cause)}`);
    }
  }

  /** The newest key. */
  async current(): Promise<SigningKey> {
    if (this.keys.length === 0) await this.load();
    const key = this.keys.at(-1);
    if (key === undefined) throw new Error('iam.signing_keys is empty after a key was created');
    return key;
  }

  /** The key of a token's header; null when there is none, after one look at the database per 10 seconds. */
  async find(kid: string): Promise<SigningKey | null> {
    const known = this.keys.find((key) => key.kid === kid);
    if (known !== undefined) return known;
    if (this.clock.now() - this.loadedAt < RELOAD_MS) return null;
    await this.load();
    return this.keys.find((key) => key.kid === kid) ?? null;
  }

  /** Public keys in the form of RFC 7517. */
  async publicJwks(): Promise<JWK[]> {
    await this.current();
    return this.keys.map((key) => ({ ...key.publicJwk, kid: key.kid, alg: ALGORITHM, use: 'sig' }));
  }

  private load(): Promise<void> {
    this.loading ??= this.read().finally(() => (this.loading = undefined));
    return this.loading;
  }

  private async read(): Promise<void> {
    let keys = await this.select();
    if (keys.length === 0) {
      await this.createFirst();
      keys = await this.select();
    }
    this.keys = keys;
    this.loadedAt = this.clock.now();
  }

  private async select(): Promise<SigningKey[]> {
    const rows = await queryRows(
      this.dataSource,
      stored,
      'SELECT kid, public_jwk, private_jwk FROM iam.signing_keys ORDER BY generation',
      [],
    );
    return Promise.all(rows.map((row) => this.open(row)));
  }

  private async open(row: z.infer<typeof stored>): Promise<SigningKey> {
    const clear = this.sealer.open(row.private_jwk, context(row.kid));
    if (this.sealer.needsReseal(row.private_jwk, context(row.kid))) await this.reseal(row, clear);
    const privateJwk = jwk.extend({ d: z.string() }).parse(JSON.parse(clear));
    return {
      kid: row.kid,
      publicJwk: row.public_jwk,
      publicKey: await importEcKey(row.public_jwk),
      privateKey: await importEcKey(privateJwk),
    };
  }

  /** With the first of the configured keys, so that the others can be retired; the condition lets one replica do it. */
  private async reseal({ kid, private_jwk }: z.infer<typeof stored>, clear: string): Promise<void> {
    await execute(
      this.dataSource,
      'UPDATE iam.signing_keys SET private_jwk = $3 WHERE kid = $1 AND private_jwk = $2',
      [kid, private_jwk, this.sealer.seal(clear, context(kid))],
    );
  }

  /** Many replicas may get here; the unique generation keeps one key. */
  private async createFirst(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const publicJwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(publicJwk);
    const sealed = this.sealer.seal(JSON.stringify(await exportJWK(privateKey)), context(kid));
    await execute(
      this.dataSource,
      `INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk)
       VALUES ($1, 1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [kid, ALGORITHM, JSON.stringify(publicJwk), sealed],
    );
  }
}

function context(kid: string): string {
  return `signing_keys/${kid}/private_jwk`;
}

function wrongKeys(cause: SealError): TypeError {
  const sealedWith = cause.keyId === null ? 'another key' : `key ${cause.keyId}`;
  return new TypeError(
    `IamModule option \`keys\`: expected the key that sealed iam.signing_keys (${sealedWith}, by the first 8 hex digits of its SHA-256) among them`,
    { cause },
  );
}

async function importEcKey(key: JWK): Promise<CryptoKey> {
  const imported = await importJWK(key, ALGORITHM);
  if (imported instanceof Uint8Array) throw new TypeError('an EC key is never symmetric');
  return imported;
}
