import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { Sealer } from '../crypto/sealer.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { versionSql } from '../database/sql-fragments.js';
import { execute, inTransaction, queryRow, sql, join, raw } from '../database/sql.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { type IdentityProvider, readRow } from './identity-provider.js';
import {
  type IdentityProviderChanges,
  identityProviderInput,
  type IdentityProviderInput,
  isSharedSecret,
  newSecret,
  secretColumnNames,
  sharedSecrets,
  type RotatableSecret,
} from './provider-columns.js';
import {
  readRows,
  refuseContradictions,
  refuseRivals,
  tryRead,
  refuseLostPushes,
  differenceOf,
  isEmpty,
  touchesTrust,
} from './row-changes.js';
import { openSecret, PROVIDER_SECRETS_PURPOSE } from './provider-secrets.js';

/** A row as it is stored, secrets sealed, with its version (see `versionSql`). */
export interface StoredProvider {
  readonly row: IdentityProviderEntity;
  readonly version: string;
}

/** A stored row with its secrets opened. */
export interface OpenedProvider {
  readonly row: IdentityProviderEntity;
  /** Null when it cannot be used. */
  readonly provider: IdentityProvider | null;
  /** The secret columns that do not open. */
  readonly unreadable: readonly string[];
}

/** Which rows are listed, by slug: those after a slug, with a name or slug that begins with `prefix`. */
interface ProviderFilter {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly enabled?: boolean | undefined;
  readonly prefix?: string | undefined;
}

/** A change of one row. `version` is what it is based on; null for the current one. */
interface ProviderEdit {
  readonly slug: string;
  readonly version: string | null;
}

const versions = z.array(z.object({ version: z.string() }));
const inUse = z.object({ identities: z.boolean(), logins: z.boolean(), sessions: z.boolean() });

/** Any number that the host's own advisory locks are unlikely to use: "iam rows" in ASCII. */
const ROWS_LOCK = '7593470432849163123';

/**
 * Identity provider rows as an administrator sees them: from the database, also those that cannot be used. Each change is
 * in one transaction with its audit entry. `refusal` is thrown where it concerns a column that decides who is trusted; null
 * for a caller who may write those. It is known before the transaction: changes wait for each other with a connection each,
 * so that the one that runs might get no second connection to look a permission up.
 */
@Injectable()
export class ProviderRows {
  private readonly sealer: Sealer;
  private whenChanged: () => void = () => undefined;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.sealer = new Sealer(options.keyRing, PROVIDER_SECRETS_PURPOSE);
  }

  /** Calls `forget` after each change, also after a failed one: whether a commit happened may be unknown. */
  onChange(forget: () => void): void {
    this.whenChanged = forget;
  }

  async list({ after, limit, enabled, prefix }: ProviderFilter): Promise<StoredProvider[]> {
    const query = storedQuery(this.dataSource.manager).orderBy('p.slug').limit(limit);
    if (after !== undefined) query.andWhere('p.slug > :after', { after });
    if (enabled !== undefined) query.andWhere('p.enabled = :enabled', { enabled });
    if (prefix !== undefined)
      query.andWhere('(starts_with(lower(p.slug), :prefix) OR starts_with(lower(p.name), :prefix))', {
        prefix: prefix.toLowerCase(),
      });
    return readStored(query);
  }

  /** Every row but this one. */
  async others({ id }: IdentityProviderEntity): Promise<IdentityProviderEntity[]> {
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find({ order: { slug: 'ASC' } });
    return rows.filter((row) => row.id !== id);
  }

  /** Opens a row's secrets as a sign-in would. */
  open(row: IdentityProviderEntity): OpenedProvider {
    const unreadable = secretColumnNames.filter((name) => {
      try {
        openSecret(this.sealer, row, name);
        return false;
      } catch {
        return true;
      }
    });
    const provider = unreadable.length === 0 ? readRow(row, this.sealer) : null;
    return { row, provider, unreadable };
  }

  /** @throws IamError `provider_not_found` */
  async get(slug: string): Promise<StoredProvider> {
    return getStored(this.dataSource.manager, slug);
  }

  /** @throws IamError `already_exists`, `provider_keys_differ` */
  async create(
    { slug, ...input }: IdentityProviderInput,
    refusal: IamError | null = null,
  ): Promise<StoredProvider> {
    return this.writing(async (manager) => {
      const id = randomUUID();
      const name = input.name ?? slug;
      const difference = differenceOf({ id }, { ...input, name }, this.sealer);
      if (refusal !== null && touchesTrust(difference, input)) throw refusal;
      const { columns, changed, secrets } = difference;
      refuseContradictions(columns);
      await manager
        .insert(IdentityProviderEntity, { id, slug, name, ...columns })
        .catch((cause: unknown) => refuseTaken(slug, cause));
      refuseRivals(await readRows(manager, this.sealer), slug);
      const values = Object.fromEntries(Object.entries(changed).map(([column, { to }]) => [column, to]));
      const detail = { values, secrets: Object.keys(secrets) };
      await recordAudit(manager, { action: 'provider.created', provider: slug, detail });
      return getStored(manager, slug);
    });
  }

  /**
   * Changes the columns given; no entry is written when nothing changes.
   * @throws IamError `provider_not_found`, `precondition_failed`, `provider_keys_differ`, `in_use` where the pushes of an app
   * would reach no row any more
   */
  async change(
    edit: ProviderEdit,
    changes: IdentityProviderChanges,
    refusal: IamError | null = null,
  ): Promise<StoredProvider> {
    return this.writing(async (manager) => {
      const stored = await this.lock(manager, edit);
      const difference = differenceOf(stored.row, changes, this.sealer);
      if (refusal !== null && touchesTrust(difference, changes)) throw refusal;
      if (isEmpty(difference)) return stored;
      refuseContradictions({ ...stored.row, ...difference.columns });
      await manager.update(IdentityProviderEntity, { id: stored.row.id }, difference.columns);
      const rows = await readRows(manager, this.sealer);
      refuseRivals(rows, edit.slug);
      await refuseLostPushes(manager, tryRead(stored.row, this.sealer), rows);
      const detail = { changed: difference.changed, secrets: difference.secrets };
      await recordAudit(manager, { action: 'provider.updated', provider: edit.slug, detail });
      return getStored(manager, edit.slug);
    });
  }

  /**
   * Puts a new secret, generated where none is given, in the place of the current one; a Token or EncodingAESKey that was valid
   * goes on working as the previous one until that is cleared.
   * @throws IamError `in_use` while the previous one of an earlier rotation is still there: one of the two is WeChat's;
   * `provider_keys_differ`
   */
  async rotate(
    edit: ProviderEdit,
    secret: RotatableSecret,
    given?: string,
  ): Promise<{ readonly stored: StoredProvider; readonly value: string }> {
    const value = given ?? newSecret(secret);
    return this.writing(async (manager) => {
      const stored = await this.lock(manager, edit);
      if (isEmpty(differenceOf(stored.row, { [secret]: value }, this.sealer))) return { stored, value };
      const kept = this.keepPrevious(stored.row, secret);
      const { columns } = differenceOf(stored.row, { ...kept, [secret]: value }, this.sealer);
      await manager.update(IdentityProviderEntity, { id: stored.row.id }, columns);
      refuseRivals(await readRows(manager, this.sealer), edit.slug);
      const detail = { secret, previous_kept: Object.keys(kept).length > 0 };
      await recordAudit(manager, { action: 'provider.secret_rotated', provider: edit.slug, detail });
      return { stored: await getStored(manager, edit.slug), value };
    });
  }

  /** @throws IamError `in_use` while an identity, a sign-in or a session came through it, or people's withdrawals come through it alone */
  async remove(edit: ProviderEdit, refusal: IamError | null = null): Promise<void> {
    await this.writing(async (manager) => {
      const { row } = await this.lock(manager, edit);
      if (refusal !== null && secretColumnNames.some((name) => row[name] !== null)) throw refusal;
      await refuseUsed(manager, row.slug);
      await manager.delete(IdentityProviderEntity, { id: row.id });
      const left = await readRows(manager, this.sealer);
      await refuseLostPushes(manager, tryRead(row, this.sealer), left);
      const detail = { name: row.name };
      await recordAudit(manager, { action: 'provider.deleted', provider: row.slug, detail });
    });
  }

  /** Creates the row or changes the columns given, also where another process does so at the same time. */
  async save({ slug, ...changes }: IdentityProviderInput): Promise<void> {
    const change = () => this.change({ slug, version: null }, changes);
    const create = () => this.create({ slug, ...changes });
    await change().catch(insteadOf('provider_not_found', create)).catch(insteadOf('already_exists', change));
  }

  /** Changes wait for each other. Queued before any row is locked; otherwise two changes could deadlock. */
  private async writing<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, async (manager) => {
      await execute(manager, sql`SELECT pg_advisory_xact_lock(${raw(ROWS_LOCK)})`);
      return work(manager);
    }).finally(() => this.whenChanged());
  }

  private keepPrevious(row: IdentityProviderEntity, secret: RotatableSecret): IdentityProviderChanges {
    if (!isSharedSecret(secret)) return {};
    const { previous } = sharedSecrets[secret];
    if (row[previous] !== null)
      throw new IamError('in_use', `${previous} of "${row.slug}" is set: finish the last rotation first`, {
        members: { secret: previous },
      });
    const current = openSecret(this.sealer, row, secret);
    return current === null ? {} : { [previous]: current };
  }

  private async lock(manager: EntityManager, { slug, version }: ProviderEdit): Promise<StoredProvider> {
    const stored = await getStored(manager, slug, 'pessimistic_write');
    if (version !== null && version !== stored.version)
      throw new IamError('precondition_failed', `"${slug}" has changed since version ${version}`);
    return stored;
  }
}

async function getStored(
  manager: EntityManager,
  slug: string,
  lock?: 'pessimistic_write',
): Promise<StoredProvider> {
  const query = storedQuery(manager).where({ slug });
  if (lock !== undefined) query.setLock(lock);
  const [stored] = identityProviderInput.shape.slug.safeParse(slug).success ? await readStored(query) : [];
  if (stored === undefined) throw new IamError('provider_not_found', `no identity provider "${slug}"`);
  return stored;
}

async function refuseUsed(manager: EntityManager, slug: string): Promise<void> {
  const exists = (table: string) =>
    sql`EXISTS (SELECT FROM ${raw(`iam.${table}`)} WHERE provider = ${slug}) AS ${raw(table)}`;
  const usesSql = sql`SELECT ${join(['identities', 'logins', 'sessions'].map(exists), ', ')}`;
  const uses = Object.entries((await queryRow(manager, inUse, usesSql)) ?? {}).filter(([, is]) => is);
  if (uses.length === 0) return;
  const used = uses.map(([table]) => table).join(', ');
  throw new IamError('in_use', `"${slug}" has ${used}`, { members: { used_by: used } });
}

function refuseTaken(slug: string, cause: unknown): never {
  if (isUniqueViolation(cause))
    throw new IamError('already_exists', `there is an identity provider "${slug}"`, { cause });
  throw cause;
}

function insteadOf(code: 'provider_not_found' | 'already_exists', otherwise: () => Promise<StoredProvider>) {
  return (error: unknown): Promise<StoredProvider> => {
    if (error instanceof IamError && error.code === code) return otherwise();
    throw error;
  };
}

function storedQuery(manager: EntityManager): SelectQueryBuilder<IdentityProviderEntity> {
  const version = versionSql('p', 'confirmations').text;
  return manager.createQueryBuilder(IdentityProviderEntity, 'p').addSelect(version, 'version');
}

async function readStored(query: SelectQueryBuilder<IdentityProviderEntity>): Promise<StoredProvider[]> {
  const { entities, raw } = await query.getRawAndEntities();
  const read = versions.parse(raw);
  return entities.map((row, index) => ({ row, version: read[index]?.version ?? '' }));
}
