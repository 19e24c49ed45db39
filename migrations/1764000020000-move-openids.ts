import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  `CREATE TABLE iam.openid_moves (
    identity_id uuid NOT NULL CONSTRAINT openid_moves_identity_fkey REFERENCES iam.identities (id) ON DELETE CASCADE,
    to_appid text NOT NULL,
    to_openid text,
    outcome text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (identity_id, to_appid),
    CONSTRAINT openid_moves_outcome_check
      CHECK (outcome IN ('answered', 'joined', 'already_there', 'second_user', 'barred', 'not_follower')),
    CONSTRAINT openid_moves_openid_check CHECK ((to_openid IS NULL) = (outcome = 'not_follower'))
  )`,
  // A person who is shut out gets the openid of the new account all the same, and the ban covers it.
  `CREATE FUNCTION iam.bar_identity_of_disabled() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO iam.barred_subjects (subject_hash, kind, user_id)
        SELECT iam.subject_hash('identity', NEW.appid, NEW.openid), 'identity', u.id
        FROM iam.users u WHERE u.id = NEW.user_id AND u.status = 'disabled'
      ON CONFLICT DO NOTHING;
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER identities_bar_of_disabled AFTER INSERT ON iam.identities
    FOR EACH ROW EXECUTE FUNCTION iam.bar_identity_of_disabled()`,
];

/** What WeChat said the openids of one Official Account are in another one, and what became of each. */
export class MoveOpenids1764000020000 extends ReplicaSafeMigration {
  readonly name = 'MoveOpenids1764000020000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER identities_bar_of_disabled ON iam.identities');
    await runner.query('DROP FUNCTION iam.bar_identity_of_disabled()');
    await runner.query('DROP TABLE iam.openid_moves');
  }
}
