import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { JWK } from 'jose';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { SealError, Sealer } from '../crypto/sealer.js';
import { isSchemaOutdated } from '../database/database-errors.js';
import { execute, queryRows, sql, raw } from '../database/sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ClockSync } from '../database/clock-sync.service.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { FreshValue, SingleFlight } from '../runtime/single-flight.js';
import type { SigningAlgorithm } from '../http/client-registry.service.js';
import {
  addRsaKeySql,
  reencryptSigningKey,
  ALGORITHM,
  generateSigningKey,
  insertFirstKeySql,
  openSigningKey,
  pairsOf,
  SIGNING_KEYS_PURPOSE,
  storedKeys,
  storedKeysColumns,
  type SealedSigningKey,
  type SigningKey,
} from './signing-key.js';

/** How often every process reads the keys again: the longest that a new key stays unknown and a revoked one is accepted. */
export const KEYS_RELOAD_SECONDS = 30;

const RELOAD_MS = KEYS_RELOAD_SECONDS * 1000;

const storedWithState = storedKeys.extend({ is_active: z.boolean(), is_last: z.boolean() });

/** PostgreSQL's clock decides which keys verify and which may sign. */
const keysSql = sql`
  SELECT ${storedKeysColumns}, active_at <= now() AS is_active, retires_at IS NULL AS is_last FROM iam.signing_keys
  WHERE retires_at IS NULL OR retires_at > now() ORDER BY generation`;

/** The key pairs of one row. */
interface Generation {
  /** Of its EC pair. */
  readonly kid: string;
  readonly pairs: readonly SigningKey[];
  readonly isActive: boolean;
  /** No later one takes its place. */
  readonly isLast: boolean;
}

interface Keys {
  /** Those that verify, also those that do not sign yet. */
  readonly generations: readonly Generation[];
  /** Their pairs. */
  readonly all: readonly SigningKey[];
  /** The newest generation that may sign. */
  readonly current: Generation | undefined;
  readonly loadedAt: number;
  /** Which reading found them. One that began later has seen more. */
  readonly reading: number;
}

/**
 * The keys of our tokens, in PostgreSQL with sealed private halves: created once, however many replicas start together,
 * and reloaded in the background, so that no request waits for them. Without background work, the first request after so long reads
 * them, and PostgreSQL's clock too. A generation gets its RSA pair when one is first asked for (decision 150).
 */
@Injectable()
export class SigningKeys implements OnModuleDestroy {
  private readonly logger = new IamLogger(SigningKeys.name);
  private readonly sealer: Sealer;
  private keys: Keys = {
    generations: [],
    all: [],
    current: undefined,
    loadedAt: Number.NEGATIVE_INFINITY,
    reading: 0,
  };
  private readings = 0;
  private readonly loading = new SingleFlight<void>();
  /** RSA pairs by the generation for which they were made: a database that is down must not cost one at every request. */
  private readonly made = new Map<string, Promise<SealedSigningKey>>();
  private readonly loop = new BackgroundLoop({
    work: () => this.load('/* background */'),
    // A longer pause than RELOAD_MS would delay revocations.
    every: RELOAD_MS / 1.2,
    onTrouble: (reason) => this.logger.warn(`signing keys cannot be read again: ${reason}`),
  });
  private readonly afterMiss = new FreshValue({
    read: () => this.reload(),
    milliseconds: 10_000,
    elapsed: () => this.clock.elapsed(),
  });
  private triedAt = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly clockSync: ClockSync,
  ) {
    this.sealer = new Sealer(options.keyRing, SIGNING_KEYS_PURPOSE);
  }

  /** Fails at start-up, not at the first sign-in, when the host's `keys` are not the ones of this database. */
  async start(): Promise<void> {
    try {
      await this.load();
    } catch (cause) {
      if (cause instanceof SealError) throw wrongKeys(cause);
      // `SchemaWatch` reports an outdated schema with more detail.
      if (!isSchemaOutdated(cause))
        this.logger.warn(`signing keys cannot be read, so nobody can sign in: ${String(cause)}`);
    }
    if (this.options.background) this.loop.start(RELOAD_MS * (0.8 + Math.random() * 0.2));
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** The key that signs. */
  async current(algorithm: SigningAlgorithm = ALGORITHM): Promise<SigningKey> {
    await this.freshen();
    if (this.findCurrent(algorithm) === undefined && this.keys.current !== undefined)
      await this.addRsaKeys([this.keys.current]);
    const key = this.findCurrent(algorithm);
    if (key === undefined) throw new Error('iam.signing_keys has no active key');
    return key;
  }

  /** The key of a token's header. An unknown `kid` reads the keys again, at most once in 10 seconds; all that ask meanwhile wait. */
  async find(kid: string): Promise<SigningKey | null> {
    await this.ready();
    const known = this.known(kid);
    if (known !== null) return known;
    await this.afterMiss.get();
    return this.known(kid);
  }

  /** Without background work, reads the keys and PostgreSQL's clock if that is due: before anything is compared with either. */
  async ready(): Promise<void> {
    if (this.isDue) await this.freshen();
  }

  /** False once the key has been withdrawn, and where it may have been. */
  isKnown(kid: string): boolean {
    return !this.isDue && this.known(kid) !== null;
  }

  /** Public keys in the form of RFC 7517, also those that do not sign yet; without RSA only while PostgreSQL takes no new key. */
  async publicJwks(): Promise<JWK[]> {
    await this.freshen();
    const { generations, current } = this.keys;
    await this.addRsaKeys(generations.filter((each) => each === current || each.isLast)).catch(
      (cause: unknown) => this.logger.warn(`no RSA key can be added: ${String(cause)}`),
    );
    return this.keys.all.map(({ publicJwk, kid, algorithm: alg }) => ({
      ...publicJwk,
      kid,
      alg,
      use: 'sig',
    }));
  }

  /** Reads the keys now, after a change. */
  async reload(): Promise<void> {
    this.loading.forget('');
    await this.load();
  }

  /** No loop reads the keys, and a request has to. */
  private get isDue(): boolean {
    return !this.options.background && this.clock.elapsed() - this.triedAt > RELOAD_MS;
  }

  private findCurrent(algorithm: SigningAlgorithm): SigningKey | undefined {
    return this.keys.current?.pairs.find((pair) => pair.algorithm === algorithm);
  }

  /** Those that have none yet; another replica may be first. */
  private async addRsaKeys(generations: readonly Generation[]): Promise<void> {
    const without = generations.filter(({ pairs }) => pairs.every(({ algorithm }) => algorithm !== 'RS256'));
    if (without.length === 0) return;
    for (const { kid } of without) {
      const made = this.made.get(kid) ?? generateSigningKey(this.sealer, 'RS256');
      this.made.set(kid, made);
      await execute(this.dataSource, addRsaKeySql(kid, await made));
      this.made.delete(kid);
    }
    await this.reload();
  }

  private known(kid: string): SigningKey | null {
    return this.keys.all.find((key) => key.kid === kid) ?? null;
  }

  /** Reads the keys if the background could not. While PostgreSQL is down, old keys are better than none. */
  private async freshen(): Promise<void> {
    const age = this.clock.elapsed() - this.keys.loadedAt;
    const { isDue } = this;
    if (isDue) await this.clockSync.doubt().catch(() => undefined);
    if (this.keys.current === undefined) await this.load();
    else if (isDue || age > 2 * RELOAD_MS) await this.load().catch(() => undefined);
  }

  private load(marker = ''): Promise<void> {
    const startedAt = this.clock.elapsed();
    return this.loading.run('', () => this.read(marker).finally(() => (this.triedAt = startedAt)));
  }

  private async read(marker: string): Promise<void> {
    const reading = ++this.readings;
    let rows = await this.select(marker);
    if (rows.length === 0) {
      await this.createFirst();
      rows = await this.select(marker);
    }
    const generations = await Promise.all(rows.map((row) => this.open(row)));
    const all = generations.flatMap(({ pairs }) => pairs);
    const current = generations.findLast(({ isActive }) => isActive);
    if (reading > this.keys.reading)
      this.keys = { generations, all, current, loadedAt: this.clock.elapsed(), reading };
  }

  private select(marker: string) {
    return queryRows(this.dataSource, storedWithState, sql`${raw(marker)}${keysSql}`);
  }

  private async open(row: z.infer<typeof storedWithState>): Promise<Generation> {
    const pairs: SigningKey[] = [];
    for (const pair of pairsOf(row)) {
      const known = this.known(pair.kid);
      pairs.push(known ?? (await openSigningKey(this.sealer, pair)));
      if (known === null) await reencryptSigningKey(this.dataSource, this.sealer, pair);
    }
    return { kid: row.kid, pairs, isActive: row.is_active, isLast: row.is_last };
  }

  private async createFirst(): Promise<void> {
    await execute(this.dataSource, insertFirstKeySql(await generateSigningKey(this.sealer)));
  }
}

function wrongKeys(cause: SealError): TypeError {
  const sealedWith = cause.keyId === null ? 'another key' : `key ${cause.keyId}`;
  return new TypeError(
    `IamModule option \`keys\`: expected the key that sealed iam.signing_keys (${sealedWith}, by the first 8 hex digits of its SHA-256) among them. Put it behind the new first one. If it is lost for good, DELETE FROM iam.signing_keys, which signs everybody out, and write the secrets of the provider rows again`,
    { cause },
  );
}
