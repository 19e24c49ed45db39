import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * Where people have signed in or messages were taken, the pair is the right one: what reads the row first replaces the mark
 * by the hash of the pair, which SQL cannot compute from a sealed secret.
 */
const adopt = (kind: 'mp' | 'mini', alsoWhen = '') => `
  UPDATE iam.identity_providers p
  SET confirmations = confirmations || jsonb_build_object('${kind}', jsonb_build_object('pair', 'adopt', 'at', now()))
  WHERE ${kind}_app_id IS NOT NULL AND ${kind}_app_secret IS NOT NULL AND (
    EXISTS (SELECT FROM iam.identities i WHERE i.provider = p.slug AND i.appid = trim(p.${kind}_app_id))${alsoWhen}
  )`;

const statements = [
  `ALTER TABLE iam.identity_providers ADD COLUMN confirmations jsonb NOT NULL DEFAULT '{}'`,
  adopt(
    'mp',
    ` OR EXISTS (SELECT FROM iam.webhook_events e WHERE e.provider = p.slug AND e.status <> 'dead')`,
  ),
  adopt('mini'),
];

/** Each row remembers which AppID and AppSecret WeChat has confirmed, and when. */
export class ConfirmApps1764000015000 extends ReplicaSafeMigration {
  readonly name = 'ConfirmApps1764000015000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.identity_providers DROP COLUMN confirmations');
  }
}
