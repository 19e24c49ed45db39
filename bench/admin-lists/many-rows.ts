import { createHash } from 'node:crypto';

/** What runs SQL: a client, a pool or a `DataSource`. */
export interface SqlRunner {
  query(sql: string): Promise<unknown>;
}

/** How many rows, and what names them. */
export interface ManyRows {
  readonly users: number;
  /** Between two users, and two sessions. */
  readonly rowEveryMs: number;
  readonly auditPerUser: number;
  /** Sign-in attempts, and as many events of the inbox. */
  readonly recent: number;
  readonly appids: { readonly open: string; readonly mp: string };
  /** A table `(g, openid, unionid)` with the names of some users; null: all are made up. */
  readonly names: string | null;
  /** Whether triggers are off, which write unions otherwise. */
  readonly withUnions: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Young enough that a clean-up leaves every row alone. */
const FIRST_ROW_AT = Math.floor(Date.now() / DAY_MS - 360) * DAY_MS;
const ROW_EVERY_MS = 30_000;

/** When user `g` was created, and a session of theirs began. */
export const timeOfRow = (g: number, everyMs = ROW_EVERY_MS): Date => new Date(FIRST_ROW_AT + g * everyMs);

/** The id of user `g`. */
export function userIdOf(g: number, everyMs = ROW_EVERY_MS): string {
  const hex = timeOfRow(g, everyMs).getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8${g.toString(16).padStart(15, '0').replace(/^.{3}/, '$&-')}`;
}

/** The openid by which user `g` signs in on a PC. */
export function openidOf(g: number): string {
  return `o6_bmj${createHash('md5').update(String(g)).digest('hex')}`;
}

/** A table and the statement that fills it. */
export interface Filling {
  readonly table: string;
  readonly sql: string;
}

/**
 * SQL that fills the tables as an application with so many users would have them: half with a second identity, one in ten with a
 * role, one in five hundred shut out, a session each, sign-ins and events of the last day, audit entries. The greatest table
 * comes first.
 */
export function fillingsFor(rows: ManyRows): Filling[] {
  const { users, rowEveryMs, auditPerUser, recent, appids, names, withUnions } = rows;
  const auditEveryMs = rowEveryMs / auditPerUser;
  /** A uuid of version 7 as row `g` of a table has it; `kind` keeps tables apart. */
  const idOf = (kind: number, g = 'g', everyMs = rowEveryMs): string =>
    `(lpad(to_hex(${FIRST_ROW_AT} + ${g}::bigint * ${everyMs}), 12, '0') || '700${kind}8' || lpad(to_hex(${g}), 15, '0'))::uuid`;
  const at = (everyMs = rowEveryMs): string => `to_timestamp(${FIRST_ROW_AT / 1000} + g * ${everyMs / 1000})`;
  const openid = (g: string) => `'o6_bmj' || md5((${g})::text)`;
  const named = (column: string, made: string) => (names === null ? made : `COALESCE(${column}, ${made})`);
  const series = (count: number) => `generate_series(1, ${count}) g`;
  const people = `${series(users)}${names === null ? '' : ` LEFT JOIN ${names} USING (g)`}`;
  const openOpenid = named('openid', openid('g'));
  const unionid = named('unionid', `'o6_union' || md5((-g)::text)`);
  const unions = [
    {
      table: 'unions',
      sql: `INSERT INTO iam.unions (union_scope, unionid, user_id) SELECT 'wechat', ${unionid}, ${idOf(0)} FROM ${people}`,
    },
    {
      table: 'identity_unions',
      sql: `INSERT INTO iam.identity_unions (identity_id, union_scope, unionid, user_id)
     SELECT unnest(CASE WHEN g % 2 = 0 THEN ARRAY[${idOf(1)}, ${idOf(2)}] ELSE ARRAY[${idOf(1)}] END), 'wechat', ${unionid}, ${idOf(0)}
     FROM ${people}`,
    },
  ];
  return [
    {
      table: 'audit_log',
      sql: `INSERT INTO iam.audit_log (id, at, action, user_id, session_id, client_id, provider, actor, correlation_id)
     SELECT ${idOf(5, 'g', auditEveryMs)}, ${at(auditEveryMs)},
            CASE WHEN g % 1000 = 0 THEN 'user.disabled' WHEN g % 2 = 0 THEN 'session.started' ELSE 'login.authenticated' END,
            ${idOf(0, `(g / ${auditPerUser} + 1)`)}, CASE WHEN g % 2 = 0 THEN ${idOf(3, `(g / ${auditPerUser})`)} END, 'web',
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, CASE WHEN g % 1000 = 0 THEN 'admin_token' END,
            gen_random_uuid()
     FROM ${series(auditPerUser * users)}`,
    },
    {
      table: 'roles',
      sql: `INSERT INTO iam.roles (name, permissions) VALUES ('support', '{tickets:*}'), ('admin', '{iam:*}')`,
    },
    {
      table: 'users',
      sql: `INSERT INTO iam.users (id, external_id, nickname, status, created_at)
     SELECT ${idOf(0)}, CASE WHEN g % 2 = 0 THEN 'crm-' || g END,
            (ARRAY['小兰', '阿伟', 'Grace', 'Zoë', '王', '李'])[g % 6 + 1] || ' ' || md5(g::text),
            CASE WHEN g % 500 = 0 THEN 'disabled' ELSE 'active' END, ${at()}
     FROM ${series(users)}`,
    },
    {
      table: 'user_roles',
      sql: `INSERT INTO iam.user_roles (user_id, role)
     SELECT ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'admin' ELSE 'support' END FROM ${series(users)} WHERE g % 10 = 0`,
    },
    {
      table: 'identities',
      sql: `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, profile_read_at)
     SELECT ${idOf(1)}, ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'open', '${appids.open}', ${openOpenid},
            'wechat', ${unionid}, now()
     FROM ${people}`,
    },
    {
      table: 'identities',
      sql: `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, follows)
     SELECT ${idOf(2)}, ${idOf(0)}, 'wechat', 'mp', '${appids.mp}', ${openid(`g + ${users}`)}, 'wechat', ${unionid}, true
     FROM ${people} WHERE g % 2 = 0`,
    },
    {
      table: 'sessions',
      sql: `INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, created_at, idle_expires_at,
                               expires_at, ended_at)
     SELECT ${idOf(3)}, ${idOf(0)}, CASE WHEN g % 1000 = 0 THEN 'admin-ui' ELSE 'web' END, ${idOf(4)},
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, CASE WHEN g % 1000 = 0 THEN 'mobile' ELSE 'open' END,
            '${appids.open}', ${openOpenid}, ${at()}, now() + interval '30 days', now() + interval '90 days',
            CASE WHEN g % 3 = 0 THEN now() END
     FROM ${people}`,
    },
    {
      table: 'logins',
      sql: `INSERT INTO iam.logins (id, state_hash, status, error, provider, method, appid, client_id, user_id, created_at, expires_at)
     SELECT ${idOf(4)}, md5(g::text), CASE WHEN g % 200 = 0 THEN 'failed' WHEN g % 300 = 0 THEN 'pending' ELSE 'consumed' END,
            CASE WHEN g % 200 = 0 THEN (ARRAY['snapshot_user', 'user_disabled', 'wechat_unavailable'])[g % 3 + 1] END,
            CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'open', '${appids.open}', 'web', ${idOf(0)}, ${at()},
            now() + interval '1 day'
     FROM ${series(recent)}`,
    },
    {
      table: 'webhook_events',
      sql: `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, openid, event_at, message, status, lease_until, received_at)
     SELECT ${idOf(6)}, CASE WHEN g % 1000 = 0 THEN 'wechat-b' ELSE 'wechat' END, 'k' || g,
            CASE WHEN g % 1000 = 0 THEN 'CLICK' ELSE 'subscribe' END, ${openid(`g + ${users}`)}, now(), '{}',
            CASE WHEN g % 1000 = 0 THEN 'dead' WHEN g % 1999 = 0 THEN 'pending' ELSE 'done' END, now() + interval '1 day', now()
     FROM ${series(recent)}`,
    },
    ...(withUnions ? unions : []),
  ];
}

/**
 * SQL that gives the last 720 days of the audit log monthly partitions, as a schema of that age has; for tables with few rows. Days of
 * the inbox that are over, which come with them, go: planning takes time for each.
 */
export const partitionPast = `DO $$ DECLARE old record; moment timestamptz; BEGIN
  ALTER TABLE iam.audit_log DETACH PARTITION iam.audit_log_undated;
  FOR old IN SELECT name FROM iam.partitions_of('audit_log') WHERE lower IS NOT NULL LOOP
    EXECUTE format('DROP TABLE iam.%I', old.name);
  END LOOP;
  FOR moment IN SELECT generate_series(now() - interval '720 days', now(), '1 month') LOOP
    PERFORM iam.roll_partitions(moment, 36500);
  END LOOP;
  FOR old IN SELECT name FROM iam.partitions_of('webhook_events')
    WHERE lower IS NOT NULL AND upper <= iam.partition_key('webhook_events', now() - interval '7 days') LOOP
    EXECUTE format('DROP TABLE iam.%I', old.name);
  END LOOP;
  INSERT INTO iam.audit_log SELECT * FROM iam.audit_log_undated;
  ALTER TABLE iam.audit_log_undated DISABLE TRIGGER USER;
  TRUNCATE iam.audit_log_undated;
  ALTER TABLE iam.audit_log_undated ENABLE TRIGGER USER;
  EXECUTE format('ALTER TABLE iam.audit_log ATTACH PARTITION iam.audit_log_undated FOR VALUES FROM (MINVALUE) TO (%L)',
    (SELECT min(lower) FROM iam.partitions_of('audit_log') WHERE lower IS NOT NULL));
END $$`;

/** Fills empty tables, and lets PostgreSQL look at them. */
export async function makeManyRows(runner: SqlRunner, users: number): Promise<void> {
  const fillings = fillingsFor({
    users,
    rowEveryMs: ROW_EVERY_MS,
    auditPerUser: 2,
    recent: Math.ceil(users / 2),
    appids: { open: 'wx1', mp: 'wx2' },
    names: null,
    withUnions: false,
  });
  await runner.query(partitionPast);
  for (const { sql } of fillings) await runner.query(sql);
  for (const table of new Set(fillings.map((filling) => filling.table)))
    await runner.query(`VACUUM ANALYZE iam.${table}`);
}
