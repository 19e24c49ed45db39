import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { violatedConstraint } from '../database/database-errors.js';
import { queryRow } from '../database/query-rows.js';
import { IamError } from '../iam.error.js';
import { defaultRolesSql } from '../roles/default-roles.js';
import type { ProfileAuthor } from './user.entity.js';

const externalIdRow = z.object({ external_id: z.string().nullable() });

/** What the host or the person may write of a user; what is undefined stays. */
export interface UserChanges {
  /** Who writes. WeChat's nickname replaces none of theirs, and fills one that they have emptied. */
  readonly by: 'host' | 'user';
  readonly nickname?: string | null | undefined;
  readonly externalId?: string | null | undefined;
}

/** Creates a user without any identity, with the default roles. @throws IamError `already_exists` when the external id is taken */
export async function createUser(manager: EntityManager, user: UserChanges): Promise<string> {
  const id = uuidv7();
  const sql = `WITH new_user AS (
      INSERT INTO iam.users (id, nickname, external_id, nickname_by) VALUES ($1, $2, $3, $4) RETURNING id
    ) ${defaultRolesSql('new_user.id', 'new_user')}`;
  await manager
    .query(sql, [id, user.nickname ?? null, user.externalId ?? null, authorOf(user)])
    .catch(explainTaken);
  await recordAudit(manager, { action: 'user.created', userId: id });
  return id;
}

/**
 * Changes a user that the caller has locked. The audit log names the columns, and of `external_id`, which decides whose
 * account of the host this is, the values too. @throws IamError `already_exists`
 */
export async function updateUser(manager: EntityManager, id: string, changes: UserChanges): Promise<void> {
  const given = { nickname: changes.nickname, external_id: changes.externalId };
  const changed = Object.entries(given).filter(([, value]) => value !== undefined);
  if (changed.length === 0) return;
  const before = await queryRow(manager, externalIdRow, 'SELECT external_id FROM iam.users WHERE id = $1', [
    id,
  ]);
  const author = changes.nickname === undefined ? {} : { nickname_by: authorOf(changes) };
  const written = [...changed, ...Object.entries(author)];
  const assignments = written.map(([column], index) => `${column} = $${index + 2}`);
  const sql = `UPDATE iam.users SET ${assignments.join(', ')}, updated_at = now() WHERE id = $1`;
  await manager.query(sql, [id, ...written.map(([, value]) => value)]).catch(explainTaken);
  const detail = {
    changed: changed.map(([column]) => column),
    ...(given.external_id !== undefined && {
      fromExternalId: before?.external_id ?? null,
      toExternalId: given.external_id,
    }),
  };
  await recordAudit(manager, { action: 'user.updated', userId: id, detail });
}

/** Shuts a user out, or lets them in again; the caller has locked them. */
export async function setUserStatus(
  manager: EntityManager,
  id: string,
  status: 'active' | 'disabled',
): Promise<void> {
  await manager.query('UPDATE iam.users SET status = $2, updated_at = now() WHERE id = $1', [id, status]);
}

function authorOf({ nickname, by }: UserChanges): ProfileAuthor {
  return nickname == null ? 'wechat' : by;
}

function explainTaken(cause: unknown): never {
  if (violatedConstraint(cause) === 'users_external_id_key')
    throw new IamError('already_exists', 'the external id belongs to another user', { cause });
  throw cause;
}
