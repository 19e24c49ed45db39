import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { sql, type Sql, inTransaction, execute, queryRows, type SqlExecutor } from '../database/sql.js';
import { rowTime } from '../database/list.js';
import { recordAudit } from '../audit/record-audit.js';
import { Sealer } from '../crypto/sealer.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ALGORITHM, type SealedSigningKey, generateSigningKey, SIGNING_KEYS_PURPOSE } from './signing-key.js';
import { SKEW_SECONDS } from './jwts.service.js';
import { KEYS_RELOAD_SECONDS, SigningKeys } from './signing-keys.service.js';

/** Rotations and revocations take turns; readers and sign-ins do not wait. */
const lockKeysSql = sql`LOCK TABLE iam.signing_keys IN SHARE ROW EXCLUSIVE MODE`;

/** Every key, the newest first. `current` signs now. */
const listKeysSql = sql`
  SELECT kid, rs256_kid, created_at, active_at, retires_at,
         CASE
           WHEN retires_at <= clock_timestamp() THEN 'retired'
           WHEN active_at > clock_timestamp() THEN 'next'
           WHEN generation = (SELECT max(generation) FROM iam.signing_keys WHERE active_at <= clock_timestamp()) THEN 'signing'
           ELSE 'verifying'
         END AS state
  FROM iam.signing_keys ORDER BY generation DESC`;

/** A key that signs `activateIn` seconds from now. */
const insertKeySql = (key: SealedSigningKey, activateIn: number): Sql => sql`
  INSERT INTO iam.signing_keys (kid, generation, algorithm, public_jwk, private_jwk, active_at)
  SELECT ${key.kid}, COALESCE(max(generation), 0) + 1, ${ALGORITHM}, ${key.publicJwk}::jsonb, ${key.privateJwk},
         clock_timestamp() + make_interval(secs => ${activateIn}::int)
  FROM iam.signing_keys`;

/** The key signs `activateIn` seconds from now at the latest. */
const bringForwardSql = (kid: string, activateIn: number): Sql => sql`
  UPDATE iam.signing_keys SET active_at = LEAST(active_at, clock_timestamp() + make_interval(secs => ${activateIn}::int))
  WHERE kid = ${kid}`;

/**
 * Sets when each key retires: the newest never, the others `overlapSeconds` after the newest begins to sign, when their last
 * token has expired. An earlier end stays.
 */
const retireKeysSql = (overlapSeconds: number): Sql => sql`
  UPDATE iam.signing_keys k
  SET retires_at = CASE WHEN k.generation < n.generation
                   THEN LEAST(k.retires_at, n.active_at + make_interval(secs => ${overlapSeconds}::int)) END
  FROM (SELECT generation, active_at FROM iam.signing_keys ORDER BY generation DESC LIMIT 1) n`;

const deleteKeySql = (kid: string): Sql => sql`DELETE FROM iam.signing_keys WHERE kid = ${kid}`;

/** Seconds between publishing a key and signing with it: most verifiers cache a JWKS for ten minutes. */
const KEY_LEAD_SECONDS = 600;

/**
 * A signing key without its key pair. `next`: published, signs from `active_at` on. `signing`. `verifying`: until `retires_at`,
 * when the last token that it signed has ended. `retired`: about to be removed.
 */
export const listedSigningKey = z.object({
  kid: z.string().describe('Of its EC pair (ES256)'),
  rs256_kid: z
    .string()
    .nullable()
    .describe('Of its RSA pair (RS256), which it has from the first time that one is needed'),
  state: z.enum(['next', 'signing', 'verifying', 'retired']),
  created_at: rowTime,
  active_at: rowTime,
  retires_at: rowTime.nullable(),
});

/** See `listedSigningKey`. */
export type ListedSigningKey = Readonly<z.infer<typeof listedSigningKey>>;

/** The result of a rotation. `isNew` is false where a key was waiting already, or another rotation ran at the same time. */
export interface Rotation {
  readonly key: ListedSigningKey;
  readonly isNew: boolean;
}

/** Replaces signing keys: a new one is published before it signs, an old one verifies until its last token has ended. */
@Injectable()
export class KeyRotation {
  private readonly sealer: Sealer;
  /** How long an old key is needed after its successor signs: replicas switch up to one reload later. */
  private readonly overlapSeconds: number;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly keys: SigningKeys,
  ) {
    this.sealer = new Sealer(options.keyRing, SIGNING_KEYS_PURPOSE);
    this.overlapSeconds = options.tokens.accessToken + SKEW_SECONDS + 2 * KEYS_RELOAD_SECONDS;
  }

  /** Every key of the database, the newest first. */
  list(executor: SqlExecutor = this.dataSource): Promise<ListedSigningKey[]> {
    return queryRows(executor, listedSigningKey, listKeysSql);
  }

  /**
   * Publishes a new key, or brings a waiting one forward, to sign after so many seconds. 0 is for emergencies: replicas and
   * other services may refuse its tokens until they read the keys again. Of simultaneous rotations only one makes a key.
   */
  async rotate(activateIn = KEY_LEAD_SECONDS): Promise<Rotation> {
    const [seen] = await this.list();
    const fresh = await generateSigningKey(this.sealer);
    const rotation = await this.change(async (manager) => {
      const [newest] = await this.list(manager);
      const isWaiting = newest?.state === 'next';
      if (newest !== undefined && !isWaiting && newest.kid !== seen?.kid)
        return { key: newest, isNew: false };
      if (isWaiting) await execute(manager, bringForwardSql(newest.kid, activateIn));
      else await execute(manager, insertKeySql(fresh, activateIn));
      await execute(manager, retireKeysSql(this.overlapSeconds));
      const [key] = await this.list(manager);
      if (key === undefined) throw new Error('a key that was inserted is there');
      const isChanged = !isWaiting || key.active_at < newest.active_at;
      const detail = { kid: key.kid, isNew: !isWaiting, activeAt: key.active_at };
      if (isChanged) await recordAudit(manager, { action: 'key.rotated', detail });
      return { key, isNew: !isWaiting };
    });
    await this.keys.reload();
    return rotation;
  }

  /**
   * Removes a key that may have leaked, with the other pair of its generation: every token that they signed is refused, on every replica within 30 seconds. If it was
   * the signing one, the next one, or a new one, signs at once.
   * @throws IamError `not_found`
   */
  async revoke(kid: string): Promise<void> {
    const fresh = await generateSigningKey(this.sealer);
    await this.change(async (manager) => {
      const keys = await this.list(manager);
      const revoked = keys.find((key) => key.kid === kid || key.rs256_kid === kid);
      if (revoked === undefined) throw new IamError('not_found', 'no signing key with this kid');
      await execute(manager, deleteKeySql(revoked.kid));
      const { state } = revoked;
      const next = keys.find((key) => key.state === 'next');
      if (state === 'signing' && next !== undefined) await execute(manager, bringForwardSql(next.kid, 0));
      else if (state === 'signing') await execute(manager, insertKeySql(fresh, 0));
      await execute(manager, retireKeysSql(this.overlapSeconds));
      const replacedBy = state === 'signing' ? (next ?? fresh).kid : null;
      await recordAudit(manager, { action: 'key.revoked', detail: { kid, state, replacedBy } });
    });
    await this.keys.reload();
  }

  private change<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, async (manager) => {
      await execute(manager, lockKeysSql);
      return work(manager);
    });
  }
}
