import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  `ALTER TABLE iam.users ADD COLUMN phone_appid text, ADD COLUMN phone_is_unique boolean NOT NULL DEFAULT false`,
  `CREATE UNIQUE INDEX users_phone_number_key ON iam.users (phone_number) WHERE phone_is_unique`,
  // From its end, so that a number is found without its calling code too.
  `CREATE INDEX users_phone_digits_idx ON iam.users (reverse(phone_number) text_pattern_ops) WHERE phone_number IS NOT NULL`,
  // The index knows only numbers that were stored as unique ones: others may be there since before the host asked for that.
  `CREATE FUNCTION iam.refuse_taken_phone_number() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM iam.users WHERE reverse(phone_number) = reverse(NEW.phone_number) AND id <> NEW.id) THEN
        RAISE EXCEPTION 'another user has the phone number' USING ERRCODE = 'unique_violation', CONSTRAINT = 'users_phone_number_key';
      END IF;
      RETURN NEW;
    END
  $$`,
  `CREATE TRIGGER users_refuse_taken_phone_number BEFORE INSERT ON iam.users
    FOR EACH ROW WHEN (NEW.phone_is_unique) EXECUTE FUNCTION iam.refuse_taken_phone_number()`,
  `CREATE TRIGGER users_refuse_taken_phone_change BEFORE UPDATE OF phone_number ON iam.users
    FOR EACH ROW WHEN (NEW.phone_is_unique AND NEW.phone_number IS DISTINCT FROM OLD.phone_number)
    EXECUTE FUNCTION iam.refuse_taken_phone_number()`,
];

/** The mini program through which a number came, and numbers that only one user may have: see docs/decisions/0135. */
export class HoldPhoneNumbers1764000026000 extends ReplicaSafeMigration {
  readonly name = 'HoldPhoneNumbers1764000026000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER users_refuse_taken_phone_change ON iam.users');
    await runner.query('DROP TRIGGER users_refuse_taken_phone_number ON iam.users');
    await runner.query('DROP FUNCTION iam.refuse_taken_phone_number');
    await runner.query('DROP INDEX iam.users_phone_digits_idx');
    await runner.query('ALTER TABLE iam.users DROP COLUMN phone_is_unique, DROP COLUMN phone_appid');
  }
}
