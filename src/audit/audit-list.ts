import { z } from 'zod';
import { plainText } from '../database/database-errors.js';
import { defineList, equal, filter, prefixPattern, rowId, rowTime } from '../database/list.js';
import { sql, type Sql } from '../database/sql.js';

const row = z.object({
  id: rowId,
  at: rowTime,
  action: z.string(),
  user_id: rowId.nullable(),
  actor: z.string().nullable(),
  session_id: rowId.nullable(),
  client_id: z.string().nullable(),
  provider: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  correlation_id: rowId.nullable(),
});

const columns = sql`
  a.id, a.at, a.action, a.user_id, a.actor, a.session_id, a.client_id, a.provider, a.ip, a.user_agent, a.detail,
  a.correlation_id`;

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

/** Earlier versions made ids by the clock of the replica, not of the database: such an id may differ from `at` by this much. */
const CLOCKS_DIFFER_MS = 60 * 1000;

/** The audit log as administrators read it. */
export const auditList = defineList(
  { row, columns, from: sql`iam.audit_log a`, key: 'a.id' },
  {
    user: equal('a.user_id', z.uuid().describe('Whom it concerns')),
    actor: equal(
      'a.actor',
      plainText(128).describe('Who did it: user:<id>, admin_token, host, wechat or cli'),
    ),
    action: filter(plainText(64).describe('One action, or several: `login.*`'), actionSql),
    provider: equal('a.provider', plainText(64).describe('Slug of an identity provider')),
    session: equal(
      'a.session_id',
      z.uuid().describe('The session that it concerns, or in which somebody acted'),
    ),
    correlation_id: equal('a.correlation_id', z.uuid().describe('That of an error answer or a log line')),
    from: filter(
      time.describe('Inclusive'),
      (from) => sql`a.at >= ${from} AND a.id >= ${firstIdOf(from.getTime() - CLOCKS_DIFFER_MS)}::uuid`,
    ),
    to: filter(
      time.describe('Exclusive'),
      (to) => sql`a.at < ${to} AND a.id < ${firstIdOf(to.getTime() + CLOCKS_DIFFER_MS)}::uuid`,
    ),
  },
);

function actionSql(action: string): Sql {
  return action.endsWith('*')
    ? sql`a.action LIKE ${prefixPattern(action.slice(0, -1))}`
    : sql`a.action = ${action}`;
}

/** The smallest UUID version 7 of a millisecond (RFC 9562 §5.7): with it every index narrows a span of time. */
export function firstIdOf(milliseconds: number): string {
  const time = Math.min(Math.max(milliseconds, 0), 2 ** 48 - 1);
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
