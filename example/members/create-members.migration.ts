import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The shop's own accounts, which were there before WeChat: nothing in them knows of the schema `iam`. */
export class CreateMembers1764000000002 implements MigrationInterface {
  readonly name = 'CreateMembers1764000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE members (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        login text UNIQUE,
        password_hash text,
        name text NOT NULL,
        disabled boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        CHECK ((login IS NULL) = (password_hash IS NULL))
      )`);
    await runner.query(`
      CREATE TABLE member_sessions (
        token_hash text PRIMARY KEY,
        member_id uuid NOT NULL REFERENCES members ON DELETE CASCADE,
        expires_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX member_sessions_expires_at ON member_sessions (expires_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE member_sessions, members');
  }
}
