import { sql, raw, type Sql } from '../database/sql.js';

/** When WeChat proved the person of a login: at the scan, else just before the callback claimed it. */
export const loginProvenAtSql = (login: string): Sql =>
  raw(`COALESCE(${login}.scanned_at, ${login}.created_at)`);

/** The same of a session. A code may wait before it is redeemed; a login that is gone was redeemed a day ago. */
export const sessionProvenAtSql = (session: string): Sql =>
  sql`COALESCE((SELECT ${loginProvenAtSql('l')} FROM iam.logins l WHERE l.id = ${raw(session)}.login_id), ${raw(session)}.created_at)`;
