import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { queryRows, sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { appsOf, type IdentityProvider } from './identity-provider.js';

/**
 * Refuses a change, as written in this transaction, after which what WeChat withdraws reaches no row for an app that people are
 * linked by. `before` is the row that changes or goes, null when it could not be read; `after` are all rows. A new AppSecret, Token or key goes on taking pushes; a row that took none before loses none.
 * @throws IamError `in_use` with the apps
 */
export async function refuseLostPushes(
  manager: EntityManager,
  before: IdentityProvider | null,
  after: readonly IdentityProvider[],
): Promise<void> {
  const heard = new Set(after.flatMap(heardApps));
  const lost = before === null ? [] : heardApps(before).filter((appid) => !heard.has(appid));
  if (lost.length === 0) return;
  const usedSql = sql`SELECT DISTINCT appid FROM iam.identities WHERE appid = ANY (${lost})`;
  const used = await queryRows(manager, z.object({ appid: z.string() }), usedSql);
  if (used.length === 0) return;
  const apps = used
    .map(({ appid }) => appid)
    .sort()
    .join(' ');
  throw new IamError('in_use', `no other row takes the withdrawals of the people of ${apps}`, {
    members: { used_by: 'withdrawals', apps },
  });
}

/** The apps whose pushes a row takes, enabled or not. */
function heardApps(row: IdentityProvider): string[] {
  const { mode, tokens, encodingAesKeys } = row.mpServer;
  const takesPushes = tokens.length > 0 && (mode === 'plain' || encodingAesKeys.length > 0);
  return takesPushes ? appsOf(row).map(({ appid }) => appid) : [];
}
