import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const columns = [
  `qr_with text NOT NULL DEFAULT 'follow' CONSTRAINT identity_providers_qr_with_check CHECK (qr_with IN ('follow', 'page', 'mini'))`,
  'mini_approval_page text',
  `mini_link text NOT NULL DEFAULT 'none' CONSTRAINT identity_providers_mini_link_check CHECK (mini_link IN ('none', 'scheme'))`,
];

/** Rules between columns: only following leads on to the Open Platform, and only to follow an account is a consent by itself. */
const rules = {
  identity_providers_qr_open_step_check: "qr_with = 'follow' OR qr_login_with = 'mp'",
  identity_providers_qr_consent_check: "qr_with = 'follow' OR qr_confirmation <> 'none'",
};

/** A QR code on a PC may be answered on a page of ours or in a mini program, instead of by following the Official Account. */
export class AnswerQrCodes1764000024000 extends ReplicaSafeMigration {
  readonly name = 'AnswerQrCodes1764000024000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const column of columns)
      await runner.query(`ALTER TABLE iam.identity_providers ADD COLUMN ${column}`);
    for (const [name, check] of Object.entries(rules))
      await runner.query(`ALTER TABLE iam.identity_providers ADD CONSTRAINT ${name} CHECK (${check})`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const column of ['qr_with', 'mini_approval_page', 'mini_link'])
      await runner.query(`ALTER TABLE iam.identity_providers DROP COLUMN ${column}`);
  }
}
