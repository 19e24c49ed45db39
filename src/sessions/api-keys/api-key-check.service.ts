import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import { Forgeries } from '../../database/forgeries.service.js';
import { execute, queryRow, sql, type Sql } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import type { AuthenticatedApiKey } from '../../http/authenticated-user.js';
import { inBoth, uncovered } from '../../roles/role-permissions.service.js';
import { Clock } from '../../runtime/clock.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { type RequestOrigin, runOutsideContext } from '../../runtime/request-context.js';
import { FreshValues } from '../../runtime/single-flight.js';
import { ApiKeys } from './api-keys.service.js';
import { hasFormOfApiKey, isLiveKeySql } from './api-key.js';

/** Counted from before the read, so that every replica refuses within five seconds a key that ended meanwhile. */
const FRESH_MS = 5_000;
/** A few megabytes; beyond that, the oldest entries go. */
const MOST_KEPT = 10_000;

/** Of wrong keys alone, so that broken tokens and unknown applications of an address shut no key out. No client has this id. */
const TARGET = 'API keys';

/** One statement says all that a request by this key depends on. No row: it does not work now, as where its owner has no identity left. */
const liveKeySql = (hash: string): Sql => sql`
  SELECT k.id, k.user_id, k.client_id, k.permissions, k.expires_at,
         COALESCE(k.last_used_at < now() - interval '1 minute', true) AS is_use_due,
         (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', r.name, 'permissions', r.permissions) ORDER BY r.name), '[]')
          FROM iam.roles r
          WHERE r.name IN (SELECT h.role FROM iam.user_roles h WHERE h.user_id = k.user_id) OR r.name = ANY(c.roles)) AS roles
  FROM iam.api_keys k LEFT JOIN iam.users u ON u.id = k.user_id LEFT JOIN iam.clients c ON c.id = k.client_id
  WHERE k.hash = ${hash} AND ${isLiveKeySql} AND ((c.enabled AND c.type = 'service')
    OR (u.status = 'active' AND EXISTS (SELECT FROM iam.identities i WHERE i.user_id = u.id)))`;

const liveKey = z.object({
  id: z.string(),
  user_id: z.string().nullable(),
  client_id: z.string().nullable(),
  permissions: z.array(z.string()),
  expires_at: z.date().nullable(),
  is_use_due: z.boolean(),
  roles: z.array(z.object({ name: z.string(), permissions: z.array(z.string()) })),
});
type LiveKey = z.infer<typeof liveKey>;

const usedSql = (id: string): Sql => sql`
  /* background */ UPDATE iam.api_keys SET last_used_at = now()
  WHERE id = ${id} AND COALESCE(last_used_at < now() - interval '1 minute', true)`;

/** A key as it was read. */
interface KnownKey {
  readonly caller: AuthenticatedApiKey;
  readonly expiresAt: number;
}

/** Checks API keys in PostgreSQL: one read in five seconds per key and process. */
@Injectable()
export class ApiKeyCheck {
  private readonly logger = new IamLogger(ApiKeyCheck.name);
  private readonly known: FreshValues<KnownKey | null>;
  /** Hashes of keys that worked here, which are read also while their address sends wrong ones; last used last. */
  private readonly proven = new Set<string>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly forgeries: Forgeries,
    private readonly clock: Clock,
    keys: ApiKeys,
  ) {
    this.known = new FreshValues({
      milliseconds: FRESH_MS,
      most: MOST_KEPT,
      elapsed: () => clock.elapsed(),
    });
    keys.onEnd((hash) => this.known.forget(hash));
  }

  /**
   * Who shows this key. The database compares a hash, so no time tells how much of a guess was right.
   * @throws IamError `invalid_token`; `rate_limited`, without a statement, after too many wrong keys from the address
   */
  async identify(apiKey: string, origin: RequestOrigin): Promise<AuthenticatedApiKey> {
    const hash = sha256(apiKey);
    const found = hasFormOfApiKey(apiKey) ? await this.find(hash, origin) : null;
    if (found === null || found.expiresAt <= this.clock.now()) {
      this.proven.delete(hash);
      throw new IamError('invalid_token', 'no API key of ours, or it or its owner works no longer');
    }
    this.keepProven(hash);
    const { caller } = found;
    return { ...caller, roles: [...caller.roles], permissions: [...caller.permissions] };
  }

  private find(hash: string, origin: RequestOrigin): Promise<KnownKey | null> {
    return this.known.get(hash, async () => {
      const row = await this.read(hash, origin);
      if (row?.is_use_due === true) this.writeUse(row.id);
      return row === null ? null : knownOf(row);
    });
  }

  /**
   * Counted before it is tried: guesses at the same time are no more statements than the limit allows. Only reads count: who sends an
   * old key again and again is no threat, and others share the address.
   */
  private async read(hash: string, origin: RequestOrigin): Promise<LiveKey | null> {
    const isGuess = !this.proven.has(hash);
    if (isGuess) this.forgeries.count(origin, TARGET);
    const forgive = (): void => {
      if (isGuess) this.forgeries.forgive(origin, TARGET);
    };
    const row = await queryRow(this.dataSource, liveKey, liveKeySql(hash)).catch((error: unknown) => {
      forgive();
      throw error;
    });
    if (row !== null) forgive();
    return row;
  }

  private keepProven(hash: string): void {
    this.proven.delete(hash);
    this.proven.add(hash);
    const [oldest] = this.proven;
    if (this.proven.size > MOST_KEPT && oldest !== undefined) this.proven.delete(oldest);
  }

  /** No request waits for it, or fails with it. */
  private writeUse(id: string): void {
    runOutsideContext(() => execute(this.dataSource, usedSql(id))).catch((error: unknown) =>
      this.logger.warn(`the last use of API key ${id} was not noted: ${String(error)}`),
    );
  }
}

function knownOf({ id, user_id, client_id, permissions, expires_at, roles }: LiveKey): KnownKey {
  const granted = roles.flatMap((role) => role.permissions);
  return {
    caller: {
      kind: 'api_key',
      id: user_id ?? client_id ?? '',
      owner: user_id === null ? 'service' : 'person',
      keyId: id,
      roles: roles
        .filter((role) => uncovered(permissions, wholeOf(role)).length === 0)
        .map(({ name }) => name),
      permissions: inBoth(permissions, granted),
    },
    expiresAt: expires_at?.getTime() ?? Number.POSITIVE_INFINITY,
  };
}

/** A role without permissions is a name to which the host gives a meaning: only a key that may do everything has it. */
function wholeOf({ permissions }: LiveKey['roles'][number]): readonly string[] {
  return permissions.length === 0 ? ['*'] : permissions;
}
