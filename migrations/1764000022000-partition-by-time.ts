import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * The key by which a table is partitioned, of a moment: an id of version 7, or the beginning of a dated dedupe key. Partitions
 * have names that end with the day of their upper bound; `undated` holds every key before the first of them, `default` what
 * no other takes.
 */
const functions = [
  `CREATE FUNCTION iam.partition_key(parent text, moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
     SELECT CASE parent
       WHEN 'audit_log' THEN rpad(lpad(to_hex(GREATEST(0, floor(extract(epoch FROM moment) * 1000))::bigint), 12, '0'), 32, '0')::uuid::text
       ELSE to_char(moment AT TIME ZONE 'UTC', '~YYYY-MM-DD') END
   $$`,
  `CREATE FUNCTION iam.partitions_of(parent text) RETURNS TABLE (name text, lower text, upper text) LANGUAGE sql STABLE AS $$
     SELECT relname::text, substring(bound FROM 'FROM \\(''([^'']+)') COLLATE "C", substring(bound FROM 'TO \\(''([^'']+)') COLLATE "C"
     FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid, pg_get_expr(relpartbound, c.oid) AS bound
     WHERE inhparent = ('iam.' || parent)::regclass
   $$`,
  // Rights on a table do not reach its partitions where these are named, as pg_dump does.
  `CREATE FUNCTION iam.copy_grants(source regclass, target regclass) RETURNS void LANGUAGE plpgsql AS $$
     DECLARE given record;
     BEGIN
       FOR given IN
         SELECT privilege_type AS privilege, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option,
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee
         FROM pg_class, aclexplode(relacl) WHERE oid = source AND grantee <> relowner
       LOOP
         EXECUTE format('GRANT %s ON %s TO %s%s', given.privilege, target, given.grantee, given.option);
       END LOOP;
     END
   $$`,
  // Runs as the owner of the tables, so the role of the application needs no right to create or drop any. One partition is
  // dropped per call, since the lock on its table lasts until the end of the transaction.
  `CREATE FUNCTION iam.roll_partitions(moment timestamptz, audit_days integer) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
   SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC' AS $$
     DECLARE
       parent record; cell timestamptz; start timestamptz; old record; is_used boolean;
       covered text COLLATE "C"; first text COLLATE "C"; last text COLLATE "C"; name text;
     BEGIN
       IF NOT pg_try_advisory_xact_lock(7593470432765372275) THEN RETURN false; END IF;
       FOR parent IN
         SELECT p.name, p.key, p.unit, ('1 ' || p.unit)::interval AS step, LEAST(moment, now()) - make_interval(days => p.days) AS cutoff
         FROM (VALUES ('audit_log', 'id', CASE WHEN audit_days < 180 THEN 'week' ELSE 'month' END, GREATEST(audit_days, 30)),
                      ('webhook_events', 'dedupe_key', 'day', 7)) AS p (name, key, unit, days)
       LOOP
         FOR cell IN SELECT generate_series(date_trunc(parent.unit, moment), moment + 2 * parent.step, parent.step) LOOP
           last := iam.partition_key(parent.name, cell + parent.step);
           SELECT max(p.upper) INTO covered FROM iam.partitions_of(parent.name) p WHERE COALESCE(p.lower, '') < last;
           -- Where the default has rows of this time already, the partition begins in an hour; those rows stay where they are.
           FOREACH start IN ARRAY ARRAY[cell, moment + interval '1 hour'] LOOP
             first := GREATEST(covered, iam.partition_key(parent.name, start));
             EXIT WHEN first >= last;
             EXECUTE format('SELECT EXISTS (SELECT FROM iam.%I WHERE %I >= %L AND %2$I < %4$L)',
               parent.name || '_default', parent.key, first, last) INTO is_used;
             CONTINUE WHEN is_used;
             BEGIN
               name := parent.name || '_' || to_char(cell + parent.step, 'YYYYMMDD');
               EXECUTE format('CREATE TABLE iam.%I (LIKE iam.%I INCLUDING ALL)', name, parent.name);
               PERFORM iam.copy_grants(('iam.' || parent.name)::regclass, ('iam.' || name)::regclass);
               IF parent.name = 'audit_log' THEN
                 EXECUTE format('CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON iam.%I
                   FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change()', name);
               END IF;
               EXECUTE format('ALTER TABLE iam.%I ATTACH PARTITION iam.%I FOR VALUES FROM (%L) TO (%L)', parent.name, name, first, last);
             EXCEPTION WHEN lock_not_available OR check_violation THEN NULL; -- Busy, or the default got such a row meanwhile.
             END;
             EXIT;
           END LOOP;
         END LOOP;
         FOR old IN
           SELECT p.* FROM iam.partitions_of(parent.name) p
           WHERE p.lower IS NOT NULL AND p.upper <= iam.partition_key(parent.name, parent.cutoff) ORDER BY p.upper
         LOOP
           BEGIN
             IF parent.name = 'audit_log' THEN
               -- An id that a wrong clock made is no reason to lose a young entry.
               EXECUTE format('SELECT EXISTS (SELECT FROM iam.%I WHERE at >= %L)', old.name, parent.cutoff) INTO is_used;
               CONTINUE WHEN is_used;
               DELETE FROM iam.audit_outbox WHERE id >= old.lower::uuid AND id < old.upper::uuid;
             END IF;
             EXECUTE format('ALTER TABLE iam.%I DETACH PARTITION iam.%I', parent.name, old.name);
             IF parent.name = 'webhook_events' THEN
               -- Open events, dead letters and late ones go into the default.
               EXECUTE format('INSERT INTO iam.webhook_events SELECT * FROM iam.%I WHERE status <> ''done'' OR received_at >= %L',
                 old.name, parent.cutoff);
             END IF;
             EXECUTE format('DROP TABLE iam.%I', old.name);
             RETURN true;
           EXCEPTION WHEN lock_not_available THEN NULL; -- Inserts wait for no longer than this attempt; the next run tries again.
           END;
         END LOOP;
       END LOOP;
       RETURN false;
     END
   $$`,
  // The function drops what only the right to DELETE could remove before.
  `REVOKE EXECUTE ON FUNCTION iam.roll_partitions FROM PUBLIC`,
  `DO $$ DECLARE deleter oid; BEGIN
     FOR deleter IN SELECT grantee FROM pg_class, aclexplode(relacl)
       WHERE oid = 'iam.audit_log'::regclass AND privilege_type = 'DELETE' AND grantee NOT IN (0, relowner)
     LOOP
       EXECUTE format('GRANT EXECUTE ON FUNCTION iam.roll_partitions TO %I', pg_get_userbyid(deleter));
     END LOOP;
   END $$`,
];

/** The table of before, with its indexes, makes room for one with partitions. */
const setAside = (table: string) => [
  `ALTER TABLE iam.${table} RENAME TO ${table}_undated`,
  `DO $$ DECLARE i record; BEGIN
     FOR i IN SELECT relname AS name FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 'iam.${table}_undated'::regclass LOOP
       EXECUTE format('ALTER INDEX iam.%I RENAME TO %I', i.name, replace(i.name, '${table}', '${table}_undated'));
     END LOOP;
   END $$`,
];

const grant = (table: string) => [
  `SELECT iam.copy_grants('iam.${table}_undated', 'iam.${table}')`,
  `SELECT iam.copy_grants('iam.${table}_undated', 'iam.${table}_default')`,
];

const auditIndexes = [
  `CREATE INDEX audit_log_user_id_idx ON iam.audit_log (user_id, id)`,
  `CREATE INDEX audit_log_action_idx ON iam.audit_log (action text_pattern_ops, id)`,
  `CREATE INDEX audit_log_actor_idx ON iam.audit_log (actor, id)`,
  `CREATE INDEX audit_log_provider_idx ON iam.audit_log (provider, id)`,
  `CREATE INDEX audit_log_session_id_idx ON iam.audit_log (session_id, id)`,
  `CREATE INDEX audit_log_correlation_id_idx ON iam.audit_log (correlation_id)`,
  `CREATE INDEX audit_log_at_idx ON iam.audit_log (at)`,
];

const appendOnly = (
  table: string,
) => `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON iam.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change()`;

const auditRules = [
  appendOnly('audit_log'),
  `CREATE TRIGGER audit_log_keeps_the_young BEFORE DELETE ON iam.audit_log
    FOR EACH ROW WHEN (OLD.at > now() - interval '30 days') EXECUTE FUNCTION iam.refuse_audit_change()`,
  `CREATE TRIGGER audit_log_keep_for_sink AFTER INSERT ON iam.audit_log
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION iam.keep_audit_for_sink()`,
];

const auditLog = [
  ...setAside('audit_log'),
  ...['append_only', 'keeps_the_young', 'keep_for_sink'].map(
    (name) => `DROP TRIGGER audit_log_${name} ON iam.audit_log_undated`,
  ),
  `CREATE TABLE iam.audit_log (LIKE iam.audit_log_undated INCLUDING DEFAULTS) PARTITION BY RANGE (id)`,
  `CREATE TABLE iam.audit_log_default PARTITION OF iam.audit_log DEFAULT`,
  // Two days on, so that neither a slow start of the release nor a clock that differs meets the bound. A constraint that the
  // operator has had validated before says it too, and spares reading the table under the lock: see docs/administration.md.
  `DO $$ DECLARE bound text := COALESCE(
       (SELECT substring(pg_get_constraintdef(oid) FROM '< ''([0-9a-f-]{36})''') FROM pg_constraint
        WHERE conrelid = 'iam.audit_log_undated'::regclass AND conname = 'audit_log_undated' AND convalidated),
       iam.partition_key('audit_log', date_trunc('day', now(), 'UTC') + interval '2 days'));
     BEGIN
       EXECUTE format('WITH moved AS (DELETE FROM iam.audit_log_undated WHERE id >= %L RETURNING *)
         INSERT INTO iam.audit_log_default SELECT * FROM moved', bound);
       EXECUTE format('ALTER TABLE iam.audit_log ATTACH PARTITION iam.audit_log_undated FOR VALUES FROM (MINVALUE) TO (%L)', bound);
     END $$`,
  `ALTER TABLE iam.audit_log_undated DROP CONSTRAINT IF EXISTS audit_log_undated`,
  `ALTER TABLE iam.audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id)`,
  ...auditIndexes,
  ...auditRules,
  ...['audit_log_undated', 'audit_log_default'].map(appendOnly),
  ...grant('audit_log'),
];

const eventIndexes = [
  `CREATE INDEX webhook_events_open_idx ON iam.webhook_events (lease_until) WHERE status IN ('processing', 'pending')`,
  `CREATE INDEX webhook_events_status_idx ON iam.webhook_events (status, id)`,
  `CREATE INDEX webhook_events_openid_idx ON iam.webhook_events (openid)`,
  `CREATE INDEX webhook_events_provider_idx ON iam.webhook_events (provider, id)`,
  `CREATE INDEX webhook_events_event_idx ON iam.webhook_events (event, id)`,
  `CREATE INDEX webhook_events_received_at_idx ON iam.webhook_events (received_at)`,
];

const webhookEvents = [
  ...setAside('webhook_events'),
  // Replicas of the version before look for the names of the two checks as long as they run beside this one. What the second
  // says makes the unique constraint of this one partition enough.
  `ALTER TABLE iam.webhook_events_undated
     DROP CONSTRAINT webhook_events_undated_pkey,
     DROP CONSTRAINT webhook_events_undated_dedupe_key_key,
     ALTER COLUMN id SET NOT NULL,
     ALTER COLUMN dedupe_key TYPE text COLLATE "C",
     ADD CONSTRAINT webhook_events_undated_pkey PRIMARY KEY (dedupe_key),
     ADD CONSTRAINT webhook_events_dedupe_key_key CHECK (dedupe_key <> ''),
     ADD CONSTRAINT webhook_events_replay_key_key CHECK (replay_key IS NULL OR dedupe_key < '~')`,
  `CREATE TABLE iam.webhook_events (LIKE iam.webhook_events_undated INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
     PARTITION BY RANGE (dedupe_key)`,
  `CREATE TABLE iam.webhook_events_default PARTITION OF iam.webhook_events DEFAULT`,
  `ALTER TABLE iam.webhook_events ATTACH PARTITION iam.webhook_events_undated FOR VALUES FROM (MINVALUE) TO ('~')`,
  `ALTER TABLE iam.webhook_events ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (dedupe_key)`,
  `CREATE INDEX webhook_events_id_idx ON iam.webhook_events (id)`,
  ...eventIndexes,
  ...grant('webhook_events'),
];

/** Of weeks: the shortest retention is not known to be longer. */
const firstPartitions = `SELECT iam.roll_partitions(now(), 30)`;

/** What WeChat may still deliver again gets the key that it has by now. */
const dateRecentKeys = `UPDATE iam.webhook_events SET dedupe_key = iam.partition_key('webhook_events', event_at) || ':' || dedupe_key
  WHERE received_at > now() - interval '10 minutes' AND replay_key IS NULL AND raw IS NULL
    AND message->>'CreateTime' = floor(extract(epoch FROM event_at))::bigint::text`;

const whole = (table: string) => [
  `CREATE TABLE iam.${table}_whole (LIKE iam.${table} INCLUDING DEFAULTS)`,
  `INSERT INTO iam.${table}_whole SELECT * FROM iam.${table}`,
  `SELECT iam.copy_grants('iam.${table}', 'iam.${table}_whole')`,
  `DROP TABLE iam.${table}`,
  `ALTER TABLE iam.${table}_whole RENAME TO ${table}`,
];

const undo = [
  ...whole('audit_log'),
  `ALTER TABLE iam.audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id)`,
  ...auditIndexes,
  ...auditRules,
  ...whole('webhook_events'),
  `ALTER TABLE iam.webhook_events
     ALTER COLUMN dedupe_key TYPE text COLLATE "default",
     ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (id),
     ADD CONSTRAINT webhook_events_dedupe_key_key UNIQUE (dedupe_key),
     ADD CONSTRAINT webhook_events_replay_key_key UNIQUE (replay_key),
     ADD CONSTRAINT webhook_events_status_check CHECK (status IN ('processing', 'pending', 'done', 'dead')),
     ADD CONSTRAINT webhook_events_open_check CHECK (status NOT IN ('processing', 'pending') OR lease_until IS NOT NULL)`,
  ...eventIndexes,
  `DROP FUNCTION iam.roll_partitions, iam.copy_grants, iam.partitions_of, iam.partition_key`,
];

/** Old audit entries and events leave as whole partitions: see docs/decisions/0101 and 0102. */
export class PartitionByTime1764000022000 extends ReplicaSafeMigration {
  readonly name = 'PartitionByTime1764000022000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of [...functions, ...auditLog, ...webhookEvents, firstPartitions, dateRecentKeys])
      await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of undo) await runner.query(statement);
  }
}
