import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * A UUID of version 7 (RFC 9562 §5.7) with the time of the transaction, which `at` of an audit entry has too. Its bits `rand_a`
 * say how many tenths of a millisecond that has taken, so that entries of one transaction keep their order.
 */
const auditId = `CREATE FUNCTION iam.audit_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(
    substring(int8send(floor(extract(epoch FROM now()) * 1000)::bigint) FROM 3)
      || int2send((x'7000'::int + LEAST(4095, floor(extract(epoch FROM clock_timestamp() - now()) * 10000)))::smallint)
      || substring(uuid_send(gen_random_uuid()) FROM 9),
    'hex')::uuid
$$`;

/**
 * Only ids that a wrong clock has made are not as old as their entries; those are in the default partition. Elsewhere the index costs each
 * entry a write, and leads the planner to read a whole span of time and sort it.
 */
const indexOfTimes = [
  'DROP INDEX iam.audit_log_at_idx',
  'CREATE INDEX audit_log_default_at_idx ON iam.audit_log_default (at)',
];

/** Ids of audit entries come from PostgreSQL, whose clock dates the entries: see docs/decisions/0125. */
export class DateAuditIds1764000023000 extends ReplicaSafeMigration {
  readonly name = 'DateAuditIds1764000023000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of [auditId, ...indexOfTimes]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX audit_log_at_idx ON iam.audit_log (at)');
    await runner.query('DROP FUNCTION iam.audit_id');
  }
}
