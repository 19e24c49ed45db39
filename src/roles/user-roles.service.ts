import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { violatedConstraint } from '../database/database-errors.js';
import { execute, hasRow, queryRows, raw, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { OnUserMerge, type UserMergeListener } from '../users/user-merges.service.js';

const permissionsRow = z.object({ permissions: z.array(z.string()) });

/** Waits for a merge or an erasure of the user, after which there is no owner. */
const assignSql = (userId: string, role: string): Sql => sql`
  WITH owner AS (
    SELECT id FROM iam.users WHERE id = ${userId} AND status <> 'merged' FOR KEY SHARE
  ), added AS (
    INSERT INTO iam.user_roles (user_id, role) SELECT owner.id, ${role}::text FROM owner
    ON CONFLICT DO NOTHING RETURNING user_id
  ), audited AS (
    ${insertAudit(
      { action: 'user.role_assigned', detail: { role } },
      { from: sql`added`, userId: sql`added.user_id` },
    )}
  )
  SELECT id FROM owner`;

const removeSql = (userId: string, role: string): Sql => sql`
  WITH removed AS (
    DELETE FROM iam.user_roles WHERE user_id = ${userId} AND role = ${role} RETURNING user_id
  )
  ${insertAudit(
    { action: 'user.role_removed', detail: { role } },
    { from: sql`removed`, userId: sql`removed.user_id` },
  )}`;

/** Spares PostgreSQL all but the newest partitions; a week more than needed, since ids are made by the clock of a replica. */
const isRecent = (id: string): Sql =>
  sql`${raw(id)} >= iam.partition_key('audit_log', now() - interval '8 days')::uuid`;

/** The audit log has the roles that the users, and those merged into them, lost, and the permissions of a deleted role. */
const recentPermissionsSql = (userIds: readonly string[]): Sql => sql`
  WITH person AS (
    SELECT id FROM iam.users WHERE id = ANY(${userIds}::uuid[]) OR merged_into = ANY(${userIds}::uuid[])
  ), lost AS (
    SELECT DISTINCT a.detail->>'role' AS role FROM iam.audit_log a JOIN person ON a.user_id = person.id
    WHERE a.action = 'user.role_removed' AND a.at > now() - interval '24 hours' AND ${isRecent('a.id')}
  )
  SELECT r.permissions FROM iam.roles r
  WHERE r.name IN (SELECT role FROM lost UNION SELECT role FROM iam.user_roles h JOIN person ON h.user_id = person.id)
  UNION ALL
  SELECT ARRAY(SELECT jsonb_array_elements_text(d.detail->'permissions')) FROM iam.audit_log d JOIN lost ON d.detail->>'role' = lost.role
  WHERE d.action = 'role.deleted' AND d.at > now() - interval '24 hours' AND ${isRecent('d.id')}`;

/** The roles that users hold. */
@Injectable()
@OnUserMerge(1)
export class UserRoles implements UserMergeListener {
  /** The permissions of all roles that these users hold, or held within the last day. */
  async recentPermissionsOf(executor: SqlExecutor, userIds: readonly string[]): Promise<readonly string[]> {
    const rows = await queryRows(executor, permissionsRow, recentPermissionsSql(userIds));
    return rows.flatMap(({ permissions }) => permissions);
  }

  /** Gives a user a role; one that they have already changes nothing. @throws IamError `not_found` */
  async assign(executor: SqlExecutor, userId: string, role: string): Promise<void> {
    const assign = assignSql(userId, role);
    const isUser = await hasRow(executor, assign).catch(explainNoRole);
    if (!isUser) throw new IamError('not_found', `no user ${userId} to assign to`);
  }

  /** Takes a role from a user; one that they do not have changes nothing. */
  async remove(executor: SqlExecutor, userId: string, role: string): Promise<void> {
    await execute(executor, removeSql(userId, role));
  }

  /** The user that stays gets the roles of the one that goes. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await execute(
      manager,
      sql`WITH moved AS (DELETE FROM iam.user_roles WHERE user_id = ${fromUserId} RETURNING role)
       INSERT INTO iam.user_roles (user_id, role) SELECT ${toUserId}::uuid, role FROM moved ON CONFLICT DO NOTHING`,
    );
  }
}

function explainNoRole(cause: unknown): never {
  if (violatedConstraint(cause) === 'user_roles_role_fkey')
    throw new IamError('not_found', 'no such role', { cause });
  throw cause;
}
