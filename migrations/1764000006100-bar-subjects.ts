import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** What a ban covers: hashes of the identities and unionids of the users that the condition names. */
const bar = (condition: string) => `
  INSERT INTO iam.barred_subjects (subject_hash, kind, user_id)
    SELECT iam.subject_hash('identity', i.appid, i.openid), 'identity', u.id
    FROM iam.users u JOIN iam.identities i ON i.user_id = u.id WHERE ${condition}
    UNION ALL
    SELECT iam.subject_hash('union', n.union_scope, n.unionid), 'union', u.id
    FROM iam.users u JOIN iam.unions n ON n.user_id = u.id WHERE ${condition}
  ON CONFLICT DO NOTHING`;

const statements = [
  `CREATE TABLE iam.barred_subjects (
    subject_hash text PRIMARY KEY,
    kind text NOT NULL CONSTRAINT barred_subjects_kind_check CHECK (kind IN ('identity', 'union')),
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE INDEX barred_subjects_user_id_idx ON iam.barred_subjects (user_id)`,
  // Neither an appid nor a union scope has a line break. Null for a subject that shows none.
  `CREATE FUNCTION iam.subject_hash(kind text, namespace text, subject text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT encode(sha256(convert_to(kind || E'\\n' || namespace || E'\\n' || subject, 'UTF8')), 'hex') $$`,

  bar(`u.status = 'disabled'`),
  `CREATE FUNCTION iam.bar_or_lift() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.status = 'disabled' THEN
        ${bar('u.id = NEW.id')};
      ELSE
        DELETE FROM iam.barred_subjects WHERE user_id = NEW.id;
      END IF;
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER users_bar_or_lift AFTER UPDATE OF status ON iam.users
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION iam.bar_or_lift()`,

  `CREATE FUNCTION iam.refuse_barred() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (
        SELECT 1 FROM iam.barred_subjects
        WHERE user_id <> NEW.user_id AND subject_hash IN (
          iam.subject_hash('identity', NEW.appid, NEW.openid), iam.subject_hash('union', NEW.union_scope, NEW.unionid))
      ) THEN
        RAISE EXCEPTION 'the person is barred' USING ERRCODE = 'check_violation', CONSTRAINT = 'identities_barred';
      END IF;
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER identities_refuse_barred AFTER INSERT ON iam.identities
    FOR EACH ROW EXECUTE FUNCTION iam.refuse_barred()`,
  `CREATE TRIGGER identities_refuse_barred_union AFTER UPDATE OF union_scope, unionid ON iam.identities
    FOR EACH ROW WHEN ((OLD.union_scope, OLD.unionid) IS DISTINCT FROM (NEW.union_scope, NEW.unionid))
    EXECUTE FUNCTION iam.refuse_barred()`,
];

/** A ban covers the person's identities and unionids, also once the user or an identity of theirs is gone. */
export class BarSubjects1764000006100 extends ReplicaSafeMigration {
  readonly name = 'BarSubjects1764000006100';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER identities_refuse_barred_union ON iam.identities');
    await runner.query('DROP TRIGGER identities_refuse_barred ON iam.identities');
    await runner.query('DROP TRIGGER users_bar_or_lift ON iam.users');
    await runner.query('DROP FUNCTION iam.refuse_barred(), iam.bar_or_lift()');
    await runner.query('DROP TABLE iam.barred_subjects');
    await runner.query('DROP FUNCTION iam.subject_hash(text, text, text)');
  }
}
