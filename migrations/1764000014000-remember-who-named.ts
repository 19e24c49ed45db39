import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const authors = `'wechat', 'host', 'user'`;

const statements = [
  `ALTER TABLE iam.users ADD COLUMN nickname_by text NOT NULL DEFAULT 'wechat',
     ADD COLUMN avatar_by text NOT NULL DEFAULT 'wechat',
     ADD CONSTRAINT users_nickname_by_check CHECK (nickname_by IN (${authors})),
     ADD CONSTRAINT users_avatar_by_check CHECK (avatar_by IN (${authors}))`,
  // Where no identity ever brought a profile, the name can only be the host's.
  `UPDATE iam.users u SET nickname_by = 'host'
   WHERE nickname IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM iam.identities i WHERE i.user_id = u.id AND i.profile_read_at IS NOT NULL)`,
];

/** Each field of a profile remembers who set it, so that WeChat's does not replace the host's or the person's own. */
export class RememberWhoNamed1764000014000 extends ReplicaSafeMigration {
  readonly name = 'RememberWhoNamed1764000014000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.users DROP COLUMN nickname_by, DROP COLUMN avatar_by');
  }
}
