import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { queryRow } from '../database/query-rows.js';
import { defaultRolesSql } from '../roles/default-roles.js';
import { explainTaken } from './external-id.js';
import type { ProfileAuthor } from './user.entity.js';

const idRow = z.object({ id: z.string() });
const externalIdRow = z.object({ external_id: z.string().nullable() });

/** What the host or the person may write of a user, checked already; what is undefined stays. */
export interface UserChanges {
  /** Who writes. WeChat's nickname replaces none of theirs, and fills one that they have emptied. */
  readonly by: 'host' | 'user';
  readonly nickname?: string | null | undefined;
  readonly externalId?: string | null | undefined;
}

const createSql = (onConflict: string) => `
  WITH new_user AS (
    INSERT INTO iam.users (id, nickname, external_id, nickname_by) VALUES ($1, $2, $3, $4) ${onConflict} RETURNING id
  ), new_roles AS (${defaultRolesSql('new_user.id', 'new_user')}
  )
  SELECT id FROM new_user`;

/** Creates a user without any identity, with the default roles. @throws IamError `identity_conflict` when the external id is taken */
export async function createUser(manager: EntityManager, user: UserChanges): Promise<string> {
  const id = uuidv7();
  const parameters = [id, user.nickname ?? null, user.externalId ?? null, authorOf(user)];
  await manager.query(createSql(''), parameters).catch(explainTaken);
  await recordAudit(manager, { action: 'user.created', userId: id });
  return id;
}

/** As `createUser`, unless a user has the external id; waits for another transaction that is about to create the same one. */
export async function createUserOnce(manager: EntityManager, externalId: string): Promise<void> {
  const id = uuidv7();
  const row = await queryRow(manager, idRow, createSql('ON CONFLICT (external_id) DO NOTHING'), [
    id,
    null,
    externalId,
    'wechat',
  ]);
  if (row !== null) await recordAudit(manager, { action: 'user.created', userId: id });
}

/**
 * Changes a user that the caller has locked. The audit log names the columns, and of `external_id`, which decides whose
 * account of the host this is, the values too. @throws IamError `identity_conflict`
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
