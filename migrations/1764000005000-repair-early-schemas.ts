import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** Columns that an early version of an earlier migration did not make; a column that is there keeps its data. */
const columns = [
  `ALTER TABLE iam.identity_providers ALTER COLUMN id SET DEFAULT gen_random_uuid()::text::uuid`,
  `ALTER TABLE iam.webhook_events ADD COLUMN IF NOT EXISTS replay_key text`,
  `ALTER TABLE iam.logins ADD COLUMN IF NOT EXISTS linked_identity_id uuid`,
  `ALTER TABLE iam.logins ADD COLUMN IF NOT EXISTS link_session_id uuid`,
];

/** PostgreSQL has no ADD CONSTRAINT IF NOT EXISTS. */
const constraints = [
  ['webhook_events', 'webhook_events_replay_key_key', 'UNIQUE (replay_key)'],
  [
    'logins',
    'logins_link_check',
    `CHECK (link_session_id IS NULL OR (user_id IS NOT NULL AND status NOT IN ('authenticated', 'binding')))`,
  ],
] as const;

/** Statements as `pg_get_indexdef` writes them, so that a text tells whether the index is the right one. */
const indexes = [
  'CREATE INDEX identities_provider_idx ON iam.identities USING btree (provider, user_id)',
  'CREATE INDEX user_roles_role_idx ON iam.user_roles USING btree (role, user_id)',
  'CREATE INDEX sessions_client_id_idx ON iam.sessions USING btree (client_id, id)',
  'CREATE INDEX sessions_provider_idx ON iam.sessions USING btree (provider, id)',
  'CREATE INDEX sessions_method_idx ON iam.sessions USING btree (method, id)',
  'CREATE INDEX logins_error_idx ON iam.logins USING btree (error, id) WHERE (error IS NOT NULL)',
  'CREATE INDEX logins_provider_idx ON iam.logins USING btree (provider, id)',
  `CREATE INDEX logins_openid_idx ON iam.logins USING btree (openid) WHERE ((openid IS NOT NULL) AND ((user_id IS NULL) OR (link_session_id IS NOT NULL)))`,
  'CREATE INDEX webhook_events_provider_idx ON iam.webhook_events USING btree (provider, id)',
  'CREATE INDEX webhook_events_event_idx ON iam.webhook_events USING btree (event, id)',
  'CREATE INDEX audit_log_action_idx ON iam.audit_log USING btree (action text_pattern_ops, id)',
  'CREATE INDEX audit_log_provider_idx ON iam.audit_log USING btree (provider, id)',
  'CREATE INDEX audit_log_session_id_idx ON iam.audit_log USING btree (session_id, id)',
  'CREATE INDEX audit_log_correlation_id_idx ON iam.audit_log USING btree (correlation_id)',
];

/**
 * Brings databases that early versions of 0.1.0 migrated to what the migrations before this one make today. Those were
 * edited after their first release, and TypeORM does not run a migration twice.
 */
export class RepairEarlySchemas1764000005000 extends ReplicaSafeMigration {
  readonly name = 'RepairEarlySchemas1764000005000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of columns) await runner.query(statement);
    for (const [table, name, rule] of constraints)
      if (
        !(await found(runner, `SELECT FROM pg_constraint WHERE conname = $1 AND ${inIam('connamespace')}`, [
          name,
        ]))
      )
        await runner.query(`ALTER TABLE iam.${table} ADD CONSTRAINT ${name} ${rule}`);
    for (const statement of indexes) {
      if (await found(runner, `SELECT FROM pg_indexes WHERE indexdef = $1`, [statement])) continue;
      await runner.query(`DROP INDEX IF EXISTS iam.${statement.split(' ')[2] ?? ''}`);
      await runner.query(statement);
    }
  }

  /** Leaves everything: the migrations before this one undo the schema as they make it today. */
  async down(): Promise<void> {
    return Promise.resolve();
  }
}

const inIam = (column: string) => `${column} = 'iam'::regnamespace`;

async function found(runner: QueryRunner, sql: string, parameters: unknown[]): Promise<boolean> {
  const rows: unknown = await runner.query(sql, parameters);
  return Array.isArray(rows) && rows.length > 0;
}
