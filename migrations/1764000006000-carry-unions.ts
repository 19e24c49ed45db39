import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  `ALTER TABLE iam.identities ADD CONSTRAINT identities_id_user_id_key UNIQUE (id, user_id)`,
  `ALTER TABLE iam.unions ADD CONSTRAINT unions_union_user_id_key UNIQUE (union_scope, unionid, user_id)`,

  // Deferred: a merge moves identities and unions one after the other.
  `CREATE TABLE iam.identity_unions (
    identity_id uuid NOT NULL,
    union_scope text NOT NULL,
    unionid text NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (identity_id, union_scope),
    CONSTRAINT identity_unions_identity_fkey FOREIGN KEY (identity_id, user_id) REFERENCES iam.identities (id, user_id)
      ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT identity_unions_union_fkey FOREIGN KEY (union_scope, unionid, user_id)
      REFERENCES iam.unions (union_scope, unionid, user_id)
      ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED
  )`,
  `CREATE INDEX identity_unions_union_idx ON iam.identity_unions (union_scope, unionid)`,

  // A scope in which no identity shows the unionid now has been one's before: any identity of the same person may be it.
  `INSERT INTO iam.identity_unions (identity_id, union_scope, unionid, user_id)
   SELECT i.id, n.union_scope, n.unionid, n.user_id
   FROM iam.unions n JOIN iam.identities i ON i.user_id = n.user_id AND i.unionid = n.unionid
   WHERE i.union_scope = n.union_scope OR NOT EXISTS (
     SELECT 1 FROM iam.identities e
     WHERE e.user_id = n.user_id AND e.unionid = n.unionid AND e.union_scope = n.union_scope)`,
  `DELETE FROM iam.unions n WHERE NOT EXISTS (
     SELECT 1 FROM iam.identity_unions c WHERE c.union_scope = n.union_scope AND c.unionid = n.unionid)`,

  // The lock makes a sign-in that adds a carrier come first; the DELETE is a statement of its own, which sees it.
  `CREATE FUNCTION iam.remove_uncarried_unions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM 1 FROM iam.unions WHERE user_id = OLD.user_id FOR UPDATE;
      DELETE FROM iam.unions n WHERE n.user_id = OLD.user_id AND NOT EXISTS (
        SELECT 1 FROM iam.identity_unions c WHERE c.union_scope = n.union_scope AND c.unionid = n.unionid);
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER identity_unions_remove_uncarried AFTER DELETE ON iam.identity_unions
    FOR EACH ROW EXECUTE FUNCTION iam.remove_uncarried_unions()`,
  `CREATE TRIGGER identity_unions_remove_replaced AFTER UPDATE ON iam.identity_unions
    FOR EACH ROW WHEN (OLD.unionid <> NEW.unionid) EXECUTE FUNCTION iam.remove_uncarried_unions()`,

  // The new carrier first: a union without any is removed with the old one.
  `CREATE FUNCTION iam.carry_union() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO iam.identity_unions AS c (identity_id, union_scope, unionid, user_id)
        SELECT NEW.id, n.union_scope, n.unionid, n.user_id FROM iam.unions n
        WHERE n.union_scope = NEW.union_scope AND n.unionid = NEW.unionid AND n.user_id = NEW.user_id
        ON CONFLICT (identity_id, union_scope) DO UPDATE SET unionid = EXCLUDED.unionid
        WHERE c.unionid <> EXCLUDED.unionid;
      DELETE FROM iam.identity_unions WHERE identity_id = NEW.id AND unionid <> NEW.unionid;
      RETURN NULL;
    END
  $$`,
  `CREATE TRIGGER identities_carry_union AFTER INSERT OR UPDATE OF union_scope, unionid ON iam.identities
    FOR EACH ROW EXECUTE FUNCTION iam.carry_union()`,
];

/** A unionid is somebody's only while an identity of theirs carries it, in each scope in which it was shown. */
export class CarryUnions1764000006000 extends ReplicaSafeMigration {
  readonly name = 'CarryUnions1764000006000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER identities_carry_union ON iam.identities');
    await runner.query('DROP FUNCTION iam.carry_union()');
    await runner.query('DROP TABLE iam.identity_unions');
    await runner.query('DROP FUNCTION iam.remove_uncarried_unions()');
    await runner.query('ALTER TABLE iam.unions DROP CONSTRAINT unions_union_user_id_key');
    await runner.query('ALTER TABLE iam.identities DROP CONSTRAINT identities_id_user_id_key');
  }
}
