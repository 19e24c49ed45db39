import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  `CREATE TABLE iam.audit_delivery (
    sink text PRIMARY KEY,
    subscribed_until timestamptz NOT NULL,
    lease_token uuid,
    lease_until timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE TABLE iam.audit_outbox (id uuid PRIMARY KEY)`,
  // In the transaction of the entry itself, and only while some replica has a sink: see docs/decisions/0024.
  `CREATE FUNCTION iam.keep_audit_for_sink() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM iam.audit_delivery WHERE subscribed_until > now()) THEN
        INSERT INTO iam.audit_outbox (id) SELECT id FROM written;
      END IF;
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER audit_log_keep_for_sink AFTER INSERT ON iam.audit_log
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION iam.keep_audit_for_sink()`,
];

/** Audit entries for the host's own log pipeline. */
export class AddAuditDelivery1764000004000 extends ReplicaSafeMigration {
  readonly name = 'AddAuditDelivery1764000004000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER audit_log_keep_for_sink ON iam.audit_log');
    await runner.query('DROP FUNCTION iam.keep_audit_for_sink()');
    await runner.query('DROP TABLE iam.audit_outbox, iam.audit_delivery');
  }
}
