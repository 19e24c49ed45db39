/** What runs SQL in a test: a `DataSource` or a runner of its own. */
export interface SqlSource {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/** The rows of a statement, as plain records. */
export async function rowsOf(
  source: SqlSource,
  sql: string,
  parameters: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const rows: unknown = await source.query(sql, parameters);
  return Array.isArray(rows) ? rows.filter(isRecord) : [];
}

/** The first column of the first row. */
export async function valueOf(source: SqlSource, sql: string, parameters: unknown[] = []): Promise<unknown> {
  const [row = {}] = await rowsOf(source, sql, parameters);
  return Object.values(row)[0];
}

/** Makes two dead letters: an event of WeChat, whose id it gives, and a logout token about a user. */
export async function giveUp({ dataSource }: { readonly dataSource: SqlSource }, userId: string) {
  await dataSource.query(
    `INSERT INTO iam.backchannel_logouts (id, client_id, session_id, user_id, status, attempts, last_error)
     VALUES (iam.audit_id(), 'gone', gen_random_uuid(), $1, 'dead', 10, 'no response in time')`,
    [userId],
  );
  return String(
    await valueOf(
      dataSource,
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, attempts, last_error)
       VALUES (gen_random_uuid(), 'wechat', 'k1', 'subscribe', now(), '{"MsgType":"event","Event":"subscribe"}', 'dead', 5,
         'NewFollowers.welcome(subscribe): the mailer is down') RETURNING id`,
    ),
  );
}

/** How many statements of this database wait for another's lock. */
export async function countWaiting(source: SqlSource): Promise<unknown> {
  return valueOf(
    source,
    `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
