import { z } from 'zod';
import { queryRow, type SqlExecutor, sql, empty, type Sql } from '../database/sql.js';
import { versionSql } from '../database/sql-fragments.js';
import { isStorable } from '../database/database-errors.js';

export const roleRow = z.object({
  name: z.string(),
  description: z.string(),
  permissions: z.array(z.string()),
  is_default: z.boolean(),
  created_at: z.date(),
  version: z.string(),
});

/** A role with its version (see `versionSql`). */
export type Role = z.infer<typeof roleRow>;

/** The columns of `roleRow`, of `iam.roles r`. */
export const roleColumns = sql`name, description, permissions, is_default, created_at, ${versionSql('r')} AS version`;

/** Null where there is no such role: never one whose name PostgreSQL cannot hold, and would refuse as a parameter. */
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
