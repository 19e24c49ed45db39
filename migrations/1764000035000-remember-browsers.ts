import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * Whatever ends a browser session ends what was born from it, codes that wait to be redeemed too. The function sees what was committed
 * while the ending statement waited for the lock of the user, which that statement does not.
 */
const endBorn = `
  CREATE FUNCTION iam.end_sessions_of_browser() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE iam.logins SET status = 'failed', error = 'login_interrupted', redeem_before = now(), subject = NULL
      WHERE user_id = NEW.user_id AND browser_session_id = NEW.id AND status = 'authenticated';
    UPDATE iam.sessions SET ended_at = now(), end_reason = NEW.end_reason
      WHERE user_id = NEW.user_id AND browser_session_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
  END
  $$`;

/** Browsers in which somebody is signed in, for applications that need not ask WeChat again: see docs/decisions/0153. */
export class RememberBrowsers1764000035000 extends ReplicaSafeMigration {
  readonly name = 'RememberBrowsers1764000035000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.browser_sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL CONSTRAINT browser_sessions_user_id_fkey REFERENCES iam.users (id),
        generation integer NOT NULL DEFAULT 0,
        provider text NOT NULL,
        method text NOT NULL,
        appid text NOT NULL,
        openid text NOT NULL,
        has_followed boolean NOT NULL DEFAULT false,
        ip text,
        user_agent text,
        created_at timestamptz NOT NULL DEFAULT now(),
        auth_time timestamptz NOT NULL,
        last_used_at timestamptz NOT NULL DEFAULT now(),
        idle_expires_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        end_reason text,
        CONSTRAINT browser_sessions_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL))
      )`);
    await runner.query('CREATE INDEX browser_sessions_user_id_idx ON iam.browser_sessions (user_id)');
    await runner.query(
      'CREATE INDEX browser_sessions_live_openid_idx ON iam.browser_sessions (openid) WHERE ended_at IS NULL',
    );
    await runner.query('CREATE INDEX browser_sessions_expires_at_idx ON iam.browser_sessions (expires_at)');
    await runner.query(endBorn);
    await runner.query(`
      CREATE TRIGGER browser_sessions_end_born AFTER UPDATE OF ended_at ON iam.browser_sessions
        FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
        EXECUTE FUNCTION iam.end_sessions_of_browser()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.browser_sessions');
    await runner.query('DROP FUNCTION iam.end_sessions_of_browser');
  }
}
