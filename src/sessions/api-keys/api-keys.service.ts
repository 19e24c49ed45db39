import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7, validate as isUuid } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import {
  afterTransaction,
  hasRow,
  inTransaction,
  queryRow,
  queryRows,
  sql,
  type Sql,
  type SqlExecutor,
} from '../../database/sql.js';
import { IamError, wrongMember } from '../../errors/iam.error.js';
import { uncovered } from '../../roles/role-permissions.service.js';
import { OnUserMerge, type UserMergeListener } from '../../users/user-merges.service.js';
import {
  type ApiKey,
  apiKeyColumns,
  apiKeyRow,
  isLiveKeySql,
  type MadeApiKey,
  mintApiKey,
  type NewApiKey,
  shownOf,
} from './api-key.js';

/** Whose keys: a user's, or those of an application of type `service`. */
type ApiKeyOwner = { readonly userId: string } | { readonly clientId: string };

/** Why a key ends, and in which session of its owner, if in one. */
interface KeyEnd {
  readonly reason: string;
  readonly sessionId?: string;
}

/** More live keys of one owner are no help to anybody. */
const MOST_LIVE = 100;
/** A page has no more; those that have ended are removed after a month. */
const MOST_LISTED = 200;

const isOf = (owner: ApiKeyOwner): Sql =>
  'userId' in owner ? sql`k.user_id = ${owner.userId}` : sql`k.client_id = ${owner.clientId}`;

/** What the owner may give a key: the permissions of all their roles, read in the transaction that gives them. */
const grantableSql = (owner: ApiKeyOwner): Sql => sql`
  SELECT r.permissions FROM iam.roles r WHERE ${
    'userId' in owner
      ? sql`r.name IN (SELECT h.role FROM iam.user_roles h WHERE h.user_id = ${owner.userId})`
      : sql`r.name = ANY(ARRAY(SELECT unnest(c.roles) FROM iam.clients c WHERE c.id = ${owner.clientId}))`
  } ORDER BY r.name`;
const granted = z.object({ permissions: z.array(z.string()) });

const listSql = (owner: ApiKeyOwner): Sql => sql`
  SELECT ${apiKeyColumns} FROM iam.api_keys k WHERE ${isOf(owner)} AND k.ended_at IS NULL ORDER BY k.id DESC LIMIT ${MOST_LISTED}`;

const countSql = (owner: ApiKeyOwner): Sql =>
  sql`SELECT count(*)::int AS live FROM iam.api_keys k WHERE ${isOf(owner)} AND ${isLiveKeySql}`;
const lockServiceSql = (clientId: string): Sql =>
  sql`SELECT 1 FROM iam.clients WHERE id = ${clientId} AND type = 'service' FOR UPDATE`;

const ownedRow = z.object({
  user_id: z.string().nullable(),
  client_id: z.string().nullable(),
  permissions: z.array(z.string()),
});

const counted = z.object({ live: z.number() });

const insertSql = (
  owner: ApiKeyOwner,
  { id, key, name, permissions, expires_at }: NewApiKey & { readonly id: string; readonly key: string },
): Sql => sql`
  WITH k AS (
    INSERT INTO iam.api_keys (id, user_id, client_id, name, prefix, hash, permissions, expires_at)
    SELECT ${id}, ${'userId' in owner ? owner.userId : null}::uuid, ${'clientId' in owner ? owner.clientId : null}::text,
           ${name}, ${shownOf(key)}, ${sha256(key)}, ${permissions}::text[], ${expires_at}::timestamptz
    WHERE ${expires_at}::timestamptz IS NULL OR ${expires_at}::timestamptz > now()
    RETURNING *
  ) SELECT ${apiKeyColumns} FROM k`;

const endSql = (condition: Sql, reason: string): Sql => sql`
  WITH ended AS (
    UPDATE iam.api_keys k SET ended_at = now(), end_reason = ${reason} WHERE ${condition} AND k.ended_at IS NULL
    RETURNING k.id, k.hash, k.user_id, k.client_id, k.name, k.prefix
  ) SELECT * FROM ended ORDER BY id`;
const ended = z.object({
  id: z.string(),
  hash: z.string(),
  user_id: z.string().nullable(),
  client_id: z.string().nullable(),
  name: z.string(),
  prefix: z.string(),
});

/** API keys: made, listed, and ended with their owner. Each change has its audit entry in its transaction. */
@Injectable()
@OnUserMerge(4)
export class ApiKeys implements UserMergeListener {
  private whenEnded: (hash: string) => void = () => undefined;

  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Calls `forget` for each key that ends. */
  onEnd(forget: (hash: string) => void): void {
    this.whenEnded = forget;
  }

  /** Those that have not been ended, the newest first. */
  list(owner: ApiKeyOwner): Promise<ApiKey[]> {
    return queryRows(this.dataSource, apiKeyRow, listSql(owner));
  }

  /** Whose key it is and what it may do. @throws IamError `not_found` */
  async get(id: string): Promise<{ readonly owner: ApiKeyOwner; readonly permissions: readonly string[] }> {
    const find = sql`SELECT user_id, client_id, permissions FROM iam.api_keys WHERE id = ${id}`;
    const row = isUuid(id) ? await queryRow(this.dataSource, ownedRow, find) : null;
    if (row === null) throw new IamError('not_found', 'no such API key');
    const { user_id: userId, client_id, permissions } = row;
    return { owner: userId === null ? { clientId: client_id ?? '' } : { userId }, permissions };
  }

  /** The permissions, some of them patterns, that the owner may give a key. */
  async grantable(owner: ApiKeyOwner, executor: SqlExecutor = this.dataSource): Promise<string[]> {
    const rows = await queryRows(executor, granted, grantableSql(owner));
    return [...new Set(rows.flatMap(({ permissions }) => permissions))];
  }

  /**
   * Makes a key for an owner, whose row the caller has locked.
   * @throws IamError `insufficient_permissions` for more than the owner may, `api_key_limit_reached`, `invalid_request`
   */
  async create(
    manager: EntityManager,
    owner: ApiKeyOwner,
    { sessionId, ...given }: NewApiKey & { readonly sessionId?: string },
  ): Promise<MadeApiKey> {
    const beyond = uncovered(await this.grantable(owner, manager), given.permissions);
    if (beyond.length > 0)
      throw new IamError('insufficient_permissions', `the owner of the key may not ${beyond.join(', ')}`, {
        members: { required: beyond.join(' ') },
      });
    if (((await queryRow(manager, counted, countSql(owner)))?.live ?? 0) >= MOST_LIVE)
      throw new IamError('api_key_limit_reached', `the owner has ${MOST_LIVE} API keys`);
    const id = uuidv7();
    const key = mintApiKey();
    const api_key = await queryRow(manager, apiKeyRow, insertSql(owner, { ...given, id, key }));
    if (api_key === null) throw wrongMember('expires_at', 'expected a time to come');
    const { name, prefix, permissions, expires_at } = api_key;
    await recordAudit(manager, {
      action: 'api_key.created',
      ...owner,
      ...(sessionId !== undefined && { sessionId }),
      detail: { api_key: id, name, prefix, permissions, expires_at },
    });
    return { key, api_key };
  }

  /** As `create`, for an application. @throws IamError `not_found` for one that is no service of the database */
  async createForService(clientId: string, given: NewApiKey): Promise<MadeApiKey> {
    return inTransaction(this.dataSource, async (manager) => {
      const isService = await hasRow(manager, lockServiceSql(clientId));
      if (!isService) throw new IamError('not_found', `no service "${clientId}" in the database`);
      return this.create(manager, { clientId }, given);
    });
  }

  /** Ends one key of an owner, at most once. @throws IamError `not_found` */
  async end(manager: EntityManager, owner: ApiKeyOwner, id: string, end: KeyEnd): Promise<void> {
    if (!isUuid(id)) throw new IamError('not_found', 'not the id of an API key');
    const isIt = sql`k.id = ${id} AND ${isOf(owner)}`;
    if ((await this.endWhere(manager, isIt, end)) > 0) return;
    if (!(await hasRow(manager, sql`SELECT 1 FROM iam.api_keys k WHERE ${isIt}`)))
      throw new IamError('not_found', 'no API key of this owner');
  }

  /** Ends every key of an owner. */
  async endOf(manager: EntityManager, owner: ApiKeyOwner, end: KeyEnd): Promise<void> {
    await this.endWhere(manager, isOf(owner), end);
  }

  /** A merge ends the keys of the user that goes: they were made for another account. */
  async onMerge(fromUserId: string, _toUserId: string, manager: EntityManager): Promise<void> {
    await this.endOf(manager, { userId: fromUserId }, { reason: 'merged' });
  }

  /** Returns how many it ended. */
  private async endWhere(
    manager: EntityManager,
    condition: Sql,
    { reason, sessionId }: KeyEnd,
  ): Promise<number> {
    const rows = await queryRows(manager, ended, endSql(condition, reason));
    for (const { id, hash, user_id: userId, client_id: clientId, name, prefix } of rows) {
      afterTransaction(manager, () => this.whenEnded(hash));
      await recordAudit(manager, {
        action: 'api_key.ended',
        userId,
        clientId,
        ...(sessionId !== undefined && { sessionId }),
        detail: { reason, api_key: id, name, prefix },
      });
    }
    return rows.length;
  }
}
