import { sql, type Sql } from '../database/sql.js';

/**
 * `INSERT` that gives a new user the roles that everybody has; composes into the statement that creates the user.
 * `userId` is an expression over `from`. A role that is being deleted is waited for and then left out.
 */
export const defaultRolesSql = (userId: Sql, from: Sql): Sql => sql`
    INSERT INTO iam.user_roles (user_id, role)
    SELECT ${userId}, r.name FROM ${from} CROSS JOIN iam.roles r WHERE r.is_default FOR KEY SHARE OF r`;
