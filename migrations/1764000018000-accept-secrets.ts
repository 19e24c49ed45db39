import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** When a row last proved somebody to its app: an exchange of a code that WeChat accepted with the AppSecret of that time. */
const provenSql = (appid: string) => `
  SELECT p.id, p.slug, trim(${appid}) AS appid, GREATEST(
    (SELECT max(GREATEST(i.created_at, i.profile_read_at)) FROM iam.identities i WHERE i.provider = p.slug AND i.appid = trim(${appid})),
    (SELECT max(s.created_at) FROM iam.sessions s WHERE s.provider = p.slug AND s.appid = trim(${appid})),
    (SELECT max(l.created_at) FROM iam.logins l WHERE l.provider = p.slug AND l.appid = trim(${appid})
       AND l.status IN ('authenticated', 'binding', 'consumed'))
  ) AS at FROM iam.identity_providers p`;

/**
 * The mark for the row that used an app last, of those whose AppSecret was not changed since: what reads the row first replaces it,
 * because SQL cannot compute a pair from a sealed secret.
 */
const adopt = (kind: 'open' | 'mobile') => `
  UPDATE iam.identity_providers p
  SET confirmations = confirmations || jsonb_build_object('${kind}', jsonb_build_object('pair', 'adopt', 'at', latest.at))
  FROM (
    SELECT DISTINCT ON (appid) id, at FROM (${provenSql(`p.${kind}_app_id`)} WHERE p.${kind}_app_secret IS NOT NULL) proven
    WHERE at IS NOT NULL AND NOT EXISTS (
      SELECT FROM iam.audit_log a WHERE a.provider = proven.slug AND a.at > proven.at
        AND (a.action = 'provider.updated' AND (a.detail->'secrets' ? '${kind}_app_secret' OR a.detail->'changed' ? '${kind}_app_id')
          OR a.action = 'provider.secret_rotated' AND a.detail->>'secret' = '${kind}_app_secret'))
    ORDER BY appid, at DESC, slug
  ) latest
  WHERE p.id = latest.id`;

const statements = [
  `CREATE TABLE iam.accepted_secrets (
    appid text PRIMARY KEY,
    pair text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now()
  )`,
  adopt('open'),
  adopt('mobile'),
];

/** Which AppSecret WeChat accepted last of an app whose secret it cannot be asked about. */
export class AcceptSecrets1764000018000 extends ReplicaSafeMigration {
  readonly name = 'AcceptSecrets1764000018000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`UPDATE iam.identity_providers SET confirmations = confirmations - 'open' - 'mobile'`);
    await runner.query('DROP TABLE iam.accepted_secrets');
  }
}
