import { createHash } from 'node:crypto';

/** What runs SQL: a client, a pool or a `DataSource`. */
export interface SqlRunner {
  query(sql: string): Promise<unknown>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Young enough that a clean-up leaves every row alone. */
const FIRST_ROW_AT = Math.floor(Date.now() / DAY_MS - 360) * DAY_MS;
const ROW_EVERY_MS = 30_000;
const AUDIT_EVERY_MS = 15_000;

/** When user `g` was created, and a session of theirs began. */
export const timeOfRow = (g: number): Date => new Date(FIRST_ROW_AT + g * ROW_EVERY_MS);

/** The id of user `g`. */
export function userIdOf(g: number): string {
  const hex = timeOfRow(g).getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8${g.toString(16).padStart(15, '0').replace(/^.{3}/, '$&-')}`;
}

/** The openid by which user `g` signs in on a PC. */
export function openidOf(g: number): string {
  return `o6_bmj${createHash('md5').update(String(g)).digest('hex')}`;
}

/** A uuid of version 7 as row `g` of a table has it; `kind` keeps tables apart. */
const idOf = (kind: number, g = 'g', everyMs = ROW_EVERY_MS): string =>
  `(lpad(to_hex(${FIRST_ROW_AT} + ${g}::bigint * ${everyMs}), 12, '0') || '700${kind}8' || lpad(to_hex(${g}), 15, '0'))::uuid`;

const at = (everyMs = ROW_EVERY_MS): string => `to_timestamp(${FIRST_ROW_AT / 1000} + g * ${everyMs / 1000})`;
const openid = (g: string) => `'o6_bmj' || md5((${g})::text)`;

/**
 * SQL that fills the tables as an application with `users` users would have them: half with a second identity, one in ten with a
 * role, one in five hundred shut out, a session each, sign-ins and events of the last day, two audit entries a user.
 */
function statementsFor(users: number): string[] {
  const recent = Math.ceil(users / 2);
  const series = (count: number) => `generate_series(1, ${count}) g`;
  return [
    `INSERT INTO iam.roles (name, permissions) VALUES ('support', '{tickets:*}'), ('admin', '{iam:*}')`,
    `INSERT INTO iam.users (id, external_id, nickname, status, created_at)
     SELECT ${idOf(0)}, CASE WHEN g % 2 = 0 THEN 'crm-' || g END,
            (ARRAY['小兰', '阿伟', 'Grace', 'Zoë', '王', '李'])[g % 6 + 1] || ' ' || md5(g::text),
            CASE WHEN g % 500 = 0 THEN 'disabled' ELSE 'active' END, ${at()}
     FROM ${series(users)}`,
    `INSERT INTO iam.user_roles (user_id, role)
     SELECT ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'admin' ELSE 'support' END FROM ${series(users)} WHERE g % 10 = 0`,
    `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid)
     SELECT ${idOf(1)}, ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'open', 'wx1', ${openid('g')},
            'wechat', 'o6_union' || md5((-g)::text)
     FROM ${series(users)}`,
    `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, follows)
     SELECT ${idOf(2)}, ${idOf(0)}, 'wechat', 'mp', 'wx2', ${openid(`g + ${users}`)}, 'wechat', 'o6_union' || md5((-g)::text), true
     FROM ${series(users)} WHERE g % 2 = 0`,
    `INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, created_at, idle_expires_at,
                               expires_at, ended_at)
     SELECT ${idOf(3)}, ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'admin-ui' ELSE 'web' END, ${idOf(4)},
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, CASE WHEN g % 1000 = 0 THEN 'mobile' ELSE 'open' END, 'wx1',
            ${openid('g')}, ${at()}, now() + interval '30 days', now() + interval '90 days',
            CASE WHEN g % 3 = 0 THEN now() END
     FROM ${series(users)}`,
    `INSERT INTO iam.logins (id, state_hash, status, error, provider, method, appid, client_id, user_id, created_at, expires_at)
     SELECT ${idOf(4)}, md5(g::text), CASE WHEN g % 200 = 0 THEN 'failed' WHEN g % 300 = 0 THEN 'pending' ELSE 'consumed' END,
            CASE WHEN g % 200 = 0 THEN (ARRAY['snapshot_user', 'user_disabled', 'wechat_unavailable'])[g % 3 + 1] END,
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'open', 'wx1', 'web', ${idOf(0)}, ${at()},
            now() + interval '1 day'
     FROM ${series(recent)}`,
    `INSERT INTO iam.audit_log (id, at, action, user_id, session_id, client_id, provider, actor, correlation_id)
     SELECT ${idOf(5, 'g', AUDIT_EVERY_MS)}, ${at(AUDIT_EVERY_MS)},
            CASE WHEN g % 1000 = 0 THEN 'user.disabled' WHEN g % 2 = 0 THEN 'session.started' ELSE 'login.authenticated' END,
            ${idOf(0, '(g / 2 + 1)')}, CASE WHEN g % 2 = 0 THEN ${idOf(3, '(g / 2)')} END, 'web',
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, CASE WHEN g % 1000 = 0 THEN 'admin_token' END,
            gen_random_uuid()
     FROM ${series(2 * users)}`,
    `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, openid, event_at, message, status, lease_until, received_at)
     SELECT ${idOf(6)}, CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'k' || g,
            CASE WHEN g % 1000 = 0 THEN 'CLICK' ELSE 'subscribe' END, ${openid(`g + ${users}`)}, now(), '{}',
            CASE WHEN g % 1000 = 0 THEN 'dead' WHEN g % 1999 = 0 THEN 'pending' ELSE 'done' END, now() + interval '1 day', now()
     FROM ${series(recent)}`,
    ...['users', 'user_roles', 'identities', 'sessions', 'logins', 'audit_log', 'webhook_events'].map(
      (table) => `VACUUM ANALYZE iam.${table}`,
    ),
  ];
}

/** Fills empty tables, and lets PostgreSQL look at them. */
export async function makeManyRows(runner: SqlRunner, users: number): Promise<void> {
  for (const sql of statementsFor(users)) await runner.query(sql);
}
