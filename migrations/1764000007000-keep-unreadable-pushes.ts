import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const base64url = (bytes: string) => `translate(rtrim(encode(${bytes}, 'base64'), '='), '+/', '-_')`;
const hash = (text: string) => base64url(`sha256(convert_to(${text}, 'UTF8'))`);

/** A scene of ours in `EventKey`, after `qrscene_` or by itself. */
const scene = `substring(message->>'EventKey' FROM 'iam:[A-Za-z0-9]{43}')`;

const statements = [
  `ALTER TABLE iam.webhook_events ADD COLUMN raw bytea`,

  // The key covers the whole message by now. Of the messages that WeChat may still deliver again the key is made anew, so that
  // they are recognised; what nests is left out: its text has another form here.
  `WITH renewed AS (
     SELECT DISTINCT ON (key) id, key
     FROM (SELECT e.id, ${hash(`'["message",' || to_json(p.mp_app_id)::text || ',' || (
             SELECT '{' || string_agg(to_json(name)::text || ':' || to_json(COALESCE(value, ''))::text, ',' ORDER BY name COLLATE "C") || '}'
             FROM jsonb_each_text(e.message) AS field (name, value)) || ',""]'`)} AS key
           FROM iam.webhook_events e JOIN iam.identity_providers p ON p.slug = e.provider
           WHERE p.mp_app_id IS NOT NULL AND e.received_at > now() - interval '10 minutes'
             AND NOT jsonb_path_exists(e.message, '$.* ? (@.type() == "object" || @.type() == "array")')) keyed
     WHERE key IS NOT NULL ORDER BY key, id
   )
   UPDATE iam.webhook_events e SET dedupe_key = renewed.key FROM renewed WHERE e.id = renewed.id`,

  // Scenes of ours in the form in which they are kept now.
  `UPDATE iam.webhook_events SET message =
     jsonb_set(message, '{EventKey}', to_jsonb(replace(message->>'EventKey', ${scene}, 'sha256:' || ${hash(scene)})))
     || CASE WHEN message ? 'Ticket' THEN jsonb_build_object('Ticket', 'sha256:' || ${hash(`message->>'Ticket'`)}) ELSE '{}' END
   WHERE ${scene} IS NOT NULL`,
];

/** Pushes that cannot be read are kept as they came; scenes are kept as hashes, which nothing turns back. */
export class KeepUnreadablePushes1764000007000 extends ReplicaSafeMigration {
  readonly name = 'KeepUnreadablePushes1764000007000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.webhook_events DROP COLUMN raw');
  }
}
