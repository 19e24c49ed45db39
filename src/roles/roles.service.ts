import { z } from 'zod';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  hasRow,
  queryRow,
  type SqlExecutor,
  sql,
  empty,
  type Sql,
  inTransaction,
  execute,
  queryRows,
} from '../database/sql.js';
import { rowTime } from '../database/list.js';
import { versionSql } from '../database/sql-fragments.js';
import { isStorable, isForeignKeyViolation, isUniqueViolation } from '../database/database-errors.js';
import { recordAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { RolePermissions } from './role-permissions.service.js';

/** A role with its version (see `versionSql`). */
export const roleRow = z.object({
  name: z.string(),
  description: z.string(),
  permissions: z.array(z.string()),
  is_default: z.boolean().describe('New users get it'),
  created_at: rowTime,
  version: z.string(),
});

/** See `roleRow`. */
export type Role = z.infer<typeof roleRow>;

/** The columns of `roleRow`, of `iam.roles r`. */
const roleColumns = sql`name, description, permissions, is_default, created_at, ${versionSql('r')} AS version`;

/** Null: no such role. PostgreSQL would refuse a name that it cannot store as a parameter. */
export async function findRole(
  executor: SqlExecutor,
  name: string,
  locking: Sql = empty,
): Promise<Role | null> {
  if (!isStorable(name)) return null;
  return queryRow(
    executor,
    roleRow,
    sql`SELECT ${roleColumns} FROM iam.roles r WHERE name = ${name} ${locking}`,
  );
}

/** A permission, or a pattern of permissions, as a role or key has it. */
export const permission = z
  .string()
  .max(128)
  .regex(/^(\*|[a-z0-9_-]+(:[a-z0-9_-]+)*(:\*)?)$/, {
    error: 'lower-case segments with colons, such as orders:refund, orders:* or *',
  });

/** What may be changed of a role; a member that is left out stays. The name stays for good: tokens carry it. */
export const roleChanges = z.strictObject({
  description: z
    .string()
    .trim()
    .max(500)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'no control characters' })
    .optional(),
  permissions: z
    .array(permission)
    .max(200)
    .transform((permissions) => [...new Set(permissions)])
    .optional(),
  is_default: roleRow.shape.is_default.optional(),
});

/** A role as it is created. */
export const newRole = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'lower-case letters, digits, - and _, at most 63' }),
  ...roleChanges.shape,
});

/** See `roleChanges`. */
export type RoleChanges = z.infer<typeof roleChanges>;

/** `version` is the one that a change is based on; null for any. */
export interface RoleEdit {
  readonly name: string;
  readonly version: string | null;
}

/** Roles, each change with its audit entry in one transaction. */
@Injectable()
export class Roles {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly permissions: RolePermissions,
  ) {}

  /** At most `limit` roles by name, after `after`, whose name begins with `prefix`. */
  async list({ after = null, prefix, limit }: RoleList): Promise<Role[]> {
    const page = sql`SELECT ${roleColumns} FROM iam.roles r
      WHERE (${after}::text IS NULL OR name > ${after}) AND starts_with(name, ${prefix ?? ''}) ORDER BY name LIMIT ${limit}`;
    return queryRows(this.dataSource, roleRow, page);
  }

  /** @throws IamError `not_found` */
  async get(name: string): Promise<Role> {
    return read(this.dataSource.manager, name);
  }

  /** What roles grant, as they are now; one that there is not grants nothing. */
  async permissionsOf(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const find = sql`SELECT permissions FROM iam.roles WHERE name = ANY(${names}::text[])`;
    const rows = await queryRows(this.dataSource, roleRow.pick({ permissions: true }), find);
    return rows.flatMap(({ permissions }) => permissions);
  }

  /** @throws IamError `already_exists` */
  async create(
    name: string,
    { description = '', permissions = [], is_default = false }: RoleChanges,
  ): Promise<Role> {
    return this.writing(async (manager) => {
      await execute(
        manager,
        sql`INSERT INTO iam.roles (name, description, permissions, is_default)
          VALUES (${name}, ${description}, ${permissions}, ${is_default})`,
      ).catch((cause: unknown) => refuseTaken(name, cause));
      await recordAudit(manager, {
        action: 'role.created',
        detail: { role: name, description, permissions, is_default },
      });
      return read(manager, name);
    });
  }

  /** No audit entry when nothing changes. @throws IamError `not_found`, `precondition_failed` */
  async change(edit: RoleEdit, changes: RoleChanges): Promise<Role> {
    return this.writing(async (manager) => {
      const role = await lock(manager, edit);
      const changed = differences(role, changes);
      if (Object.keys(changed).length === 0) return role;
      const { description = null, permissions = null, is_default = null } = changes;
      await execute(
        manager,
        sql`UPDATE iam.roles SET description = COALESCE(${description}::text, description),
              permissions = COALESCE(${permissions}::text[], permissions), is_default = COALESCE(${is_default}::boolean, is_default)
            WHERE name = ${role.name}`,
      );
      await recordAudit(manager, { action: 'role.updated', detail: { role: role.name, changed } });
      return read(manager, role.name);
    });
  }

  /** @throws IamError `not_found`, `precondition_failed`, or `in_use` while a user holds it */
  async remove(edit: RoleEdit): Promise<void> {
    await this.writing(async (manager) => {
      const { name, permissions } = await lock(manager, edit);
      const isHeld = await hasRow(manager, sql`SELECT 1 FROM iam.user_roles WHERE role = ${name} LIMIT 1`);
      if (isHeld) throw new IamError('in_use', `users hold the role "${name}"`);
      await execute(manager, sql`DELETE FROM iam.roles WHERE name = ${name}`).catch((cause: unknown) =>
        refuseHeld(name, cause),
      );
      await recordAudit(manager, { action: 'role.deleted', detail: { role: name, permissions } });
    });
  }

  /** Forgets the permissions also after a failure: the commit may have happened. */
  private async writing<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, work).finally(() => this.permissions.forget());
  }
}

/** Which roles are listed. */
interface RoleList {
  readonly after?: string | null | undefined;
  readonly prefix?: string | undefined;
  readonly limit: number;
}

async function lock(manager: EntityManager, { name, version }: RoleEdit): Promise<Role> {
  const role = await read(manager, name, sql`FOR UPDATE`);
  if (version !== null && version !== role.version)
    throw new IamError('precondition_failed', `role "${name}" has changed since version ${version}`);
  return role;
}

async function read(manager: EntityManager, name: string, locking: Sql = empty): Promise<Role> {
  const role = await findRole(manager, name, locking);
  if (role === null) throw new IamError('not_found', `no role "${name}"`);
  return role;
}

function differences(role: Role, changes: RoleChanges): Record<string, { from: unknown; to: unknown }> {
  const changed = (['description', 'permissions', 'is_default'] as const).filter(
    (column) =>
      changes[column] !== undefined && JSON.stringify(changes[column]) !== JSON.stringify(role[column]),
  );
  return Object.fromEntries(changed.map((column) => [column, { from: role[column], to: changes[column] }]));
}

/** In a REPEATABLE READ transaction of the host, the query before does not see a role that was assigned during the wait for the lock. */
function refuseHeld(name: string, cause: unknown): never {
  if (isForeignKeyViolation(cause))
    throw new IamError('in_use', `rows refer to the role "${name}"`, { cause });
  throw cause;
}

function refuseTaken(name: string, cause: unknown): never {
  if (isUniqueViolation(cause)) throw new IamError('already_exists', `there is a role "${name}"`, { cause });
  throw cause;
}
