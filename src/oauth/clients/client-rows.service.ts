import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import { randomAlphanumeric } from '../../crypto/random.js';
import { isUniqueViolation, violatedConstraint } from '../../database/database-errors.js';
import { versionSql } from '../../database/sql-fragments.js';
import {
  empty,
  execute,
  inTransaction,
  join,
  queryRow,
  queryRows,
  raw,
  sql,
  type Sql,
  type SqlExecutor,
} from '../../database/sql.js';
import { IamError, wrongMember } from '../../errors/iam.error.js';
import { ApiKeys } from '../../sessions/api-keys/api-keys.service.js';
import { dropUnwantedLogouts } from '../backchannel/logout-outbox.service.js';
import {
  clientRow,
  newClient,
  type ClientChanges,
  type ClientRow,
  type NewClient,
} from './client-columns.js';
import { checkServiceId, checkWhole, clientDefaults, completed } from './client-rules.js';
import { SectorDocuments } from './sector-documents.service.js';

/** A change of one application; `version` is what it is based on, null for any. */
export interface ClientEdit {
  readonly id: string;
  readonly version: string | null;
}

/** Which rows are listed, by id: those after an id, whose id or name begins with `prefix`. */
interface ClientFilter {
  readonly after?: string | undefined;
  readonly prefix?: string | undefined;
  readonly limit: number;
}

const columns = join([
  ...Object.keys(clientRow.shape)
    .filter((name) => name !== 'version')
    .map(raw),
  sql`${versionSql('c')} AS version`,
]);
const known = z.object({ slug: z.string() });

/** So that secret scanners find it. */
const SECRET_PREFIX = 'iamcs_';
/** More than 256 bits. */
const SECRET_LENGTH = 44;

/** Every row. */
export function readClients(executor: SqlExecutor): Promise<ClientRow[]> {
  return queryRows(
    executor,
    clientRow,
    sql`/* background */ SELECT ${columns} FROM iam.clients c ORDER BY id`,
  );
}

/** The applications in the database, each change with its audit entry in one transaction. */
@Injectable()
export class ClientRows {
  private whenChanged: () => Promise<void> = () => Promise.resolve();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly apiKeys: ApiKeys,
    private readonly sectors: SectorDocuments,
  ) {}

  /** Calls `reload` after each change, also after a failed one: whether a commit happened may be unknown. */
  onChange(reload: () => Promise<void>): void {
    this.whenChanged = reload;
  }

  async list({ after = '', prefix = '', limit }: ClientFilter): Promise<ClientRow[]> {
    const begins = prefix.toLowerCase();
    const page = sql`SELECT ${columns} FROM iam.clients c
      WHERE id COLLATE "C" > ${after} AND (starts_with(lower(id), ${begins}) OR starts_with(lower(name), ${begins}))
      ORDER BY id COLLATE "C" LIMIT ${limit}`;
    return queryRows(this.dataSource, clientRow, page);
  }

  /** @throws IamError `not_found`, also for one of the code */
  async get(id: string): Promise<ClientRow> {
    return read(this.dataSource.manager, id);
  }

  /** One that is not public has no secret until `rotate` makes it. @throws IamError `already_exists` */
  async create({ id, type, ...given }: NewClient): Promise<ClientRow> {
    const members = withoutRepeats(given);
    const defaults = clientDefaults(type);
    await this.sectors.check(completed(defaults, members));
    return this.writing(async (manager) => {
      const values = { ...members, name: members.name ?? id };
      if (type === 'service') checkServiceId(id);
      checkWhole(defaults, values);
      await refuseUnknownProviders(manager, given.providers);
      const insert = sql`INSERT INTO iam.clients (id, name, type, grants) VALUES (${id}, ${values.name}, ${type}, ${defaults.grants})`;
      await execute(manager, insert).catch((cause: unknown) => refuseTaken(id, cause));
      await write(manager, id, values);
      const row = await read(manager, id);
      const detail = { client: id, type, ...values };
      await recordAudit(manager, { action: 'client.created', clientId: id, detail });
      return row;
    });
  }

  /** No audit entry when nothing changes. @throws IamError `not_found`, `precondition_failed`, `invalid_request` */
  async change(edit: ClientEdit, given: ClientChanges): Promise<ClientRow> {
    const changes = withoutRepeats(given);
    if (sectorMembers.some((member) => changes[member] !== undefined))
      await this.sectors.check(completed(await this.get(edit.id), changes));
    return this.writing(async (manager) => {
      const before = await lock(manager, edit);
      const changed = differences(before, changes);
      if (Object.keys(changed).length === 0) return before;
      checkWhole(before, changes);
      await refuseUnknownProviders(manager, given.providers, before.providers);
      await write(manager, edit.id, changes);
      if (changes.backchannel_logout_uri === null) await dropUnwantedLogouts(manager, edit.id);
      const row = await read(manager, edit.id);
      const detail = { client: edit.id, changed };
      await recordAudit(manager, { action: 'client.updated', clientId: edit.id, detail });
      return row;
    });
  }

  /**
   * A new secret, which is stored as a hash only. The one so far works until it is cleared, so that servers can be changed one after
   * the other. @throws IamError `in_use` while the one before it still works; `invalid_request` for an application without secrets
   */
  async rotate(edit: ClientEdit): Promise<{ readonly row: ClientRow; readonly secret: string }> {
    const secret = `${SECRET_PREFIX}${randomAlphanumeric(SECRET_LENGTH)}`;
    return this.writing(async (manager) => {
      const { type, secret_hash_previous: previous } = await lock(manager, edit);
      if (type === 'public')
        throw new IamError('invalid_request', `"${edit.id}" is public: it can keep no secret`);
      if (previous !== null)
        throw new IamError('in_use', `"${edit.id}" has a previous secret: clear it first`, {
          members: { secret: 'previous' },
        });
      const replace = sql`
        UPDATE iam.clients SET secret_hash_previous = secret_hash, secret_hash = ${sha256(secret)}, secret_created_at = now(),
                               updated_at = now() WHERE id = ${edit.id}`;
      await execute(manager, replace);
      await recordAudit(manager, {
        action: 'client.secret_rotated',
        clientId: edit.id,
        detail: { client: edit.id },
      });
      return { row: await read(manager, edit.id), secret };
    });
  }

  /** The secret before the last rotation works no longer. */
  async clearPrevious(edit: ClientEdit): Promise<ClientRow> {
    return this.writing(async (manager) => {
      const before = await lock(manager, edit);
      if (before.secret_hash_previous === null) return before;
      const clear = sql`UPDATE iam.clients SET secret_hash_previous = NULL, updated_at = now() WHERE id = ${edit.id}`;
      await execute(manager, clear);
      const detail = { client: edit.id };
      await recordAudit(manager, { action: 'client.secret_cleared', clientId: edit.id, detail });
      return read(manager, edit.id);
    });
  }

  /** What was signed in to it, and its API keys, are refused from then on, also by an application that gets its id later. */
  async remove(edit: ClientEdit): Promise<void> {
    await this.writing(async (manager) => {
      const { name, redirect_uris } = await lock(manager, edit);
      await this.apiKeys.endOf(manager, { clientId: edit.id }, { reason: 'client_deleted' });
      await execute(manager, sql`DELETE FROM iam.clients WHERE id = ${edit.id}`);
      await dropUnwantedLogouts(manager, edit.id);
      const detail = { client: edit.id, name, redirect_uris };
      await recordAudit(manager, { action: 'client.deleted', clientId: edit.id, detail });
    });
  }

  private async writing<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, work).finally(() => this.whenChanged());
  }
}

/** The lists are sets. */
function withoutRepeats<T extends ClientChanges>(members: T): T {
  const distinct = Object.entries(members).map(
    ([name, value]) => [name, Array.isArray(value) ? [...new Set<string>(value)] : value] as const,
  );
  return { ...members, ...Object.fromEntries(distinct) };
}

/** What the document of a sector is about. */
const sectorMembers = ['subject_type', 'sector_identifier_uri', 'redirect_uris'] as const;

/** Writes the members that are given. */
async function write(manager: EntityManager, id: string, members: ClientChanges): Promise<void> {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  const assignments = given.map(([name, value]) => sql`${raw(name)} = ${value}`);
  await execute(
    manager,
    sql`UPDATE iam.clients SET ${join([...assignments, sql`updated_at = now()`])} WHERE id = ${id}`,
  ).catch(explainNoRole);
}

async function read(manager: EntityManager, id: string, locking: Sql = empty): Promise<ClientRow> {
  const isId = newClient.shape.id.safeParse(id).success;
  const find = sql`SELECT ${columns} FROM iam.clients c WHERE id = ${id} ${locking}`;
  const row = isId ? await queryRow(manager, clientRow, find) : null;
  if (row === null) throw new IamError('not_found', `no application "${id.slice(0, 128)}" in the database`);
  return row;
}

async function lock(manager: EntityManager, { id, version }: ClientEdit): Promise<ClientRow> {
  const row = await read(manager, id, sql`FOR UPDATE`);
  if (version !== null && version !== row.version)
    throw new IamError('precondition_failed', `"${id}" has changed since version ${version}`);
  return row;
}

/** A misspelt slug would lock everybody out. A provider that is deleted later only leaves fewer ways. */
async function refuseUnknownProviders(
  manager: EntityManager,
  slugs: readonly string[] = [],
  before: readonly string[] = [],
): Promise<void> {
  const added = slugs.filter((slug) => !before.includes(slug));
  if (added.length === 0) return;
  const find = sql`SELECT slug FROM iam.identity_providers WHERE slug = ANY(${added}::text[])`;
  const found = new Set((await queryRows(manager, known, find)).map(({ slug }) => slug));
  const unknown = added.find((slug) => !found.has(slug));
  if (unknown !== undefined)
    throw wrongMember(`providers.${slugs.indexOf(unknown)}`, `no identity provider "${unknown}"`);
}

function differences(
  row: ClientRow,
  changes: ClientChanges,
): Record<string, { readonly from: unknown; readonly to: unknown }> {
  const before: Readonly<Record<string, unknown>> = row;
  const changed = Object.entries(changes).filter(
    ([name, to]) => to !== undefined && JSON.stringify(to) !== JSON.stringify(before[name]),
  );
  return Object.fromEntries(changed.map(([name, to]) => [name, { from: before[name], to }]));
}

function explainNoRole(cause: unknown): never {
  if (violatedConstraint(cause) === 'clients_roles_fkey')
    throw wrongMember('roles', 'expected names of roles', cause);
  throw cause;
}

function refuseTaken(id: string, cause: unknown): never {
  if (isUniqueViolation(cause))
    throw new IamError('already_exists', `there is an application "${id}"`, { cause });
  throw cause;
}
