import { z } from 'zod';
import { sha256 } from '../crypto/hash.js';
import { execute, queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { appsOf, type Confirmations, type IdentityProvider } from './identity-provider.js';

/** What a migration writes where a pair was in use before pairs were confirmed. */
const ADOPT = 'adopt';

const confirmation = z.object({ pair: z.string(), at: z.coerce.date().transform((date) => date.getTime()) });
const stored = z.object({
  open: confirmation.optional(),
  mp: confirmation.optional(),
  mini: confirmation.optional(),
  mobile: confirmation.optional(),
});
const updated = z.object({ at: z.date() });

/** Reads the column; what is not of its form confirms nothing. */
export function readConfirmations(column: unknown): Confirmations {
  return stored.safeParse(column).data ?? {};
}

/** Since when this very pair is confirmed, in milliseconds; null when it is not. */
export function confirmedSince({ confirmations }: IdentityProvider, app: WechatApp): number | null {
  const known = confirmations[app.kind];
  return known?.pair === pairOf(app) ? known.at : null;
}

/** Notes that WeChat has confirmed the pair; one that is noted already keeps its time. Gives the time. */
export async function confirmPair(executor: SqlExecutor, id: string, app: WechatApp): Promise<number> {
  const pair = pairOf(app);
  const confirm = sql`
    WITH confirmed AS (
      UPDATE iam.identity_providers SET confirmations = CASE
        WHEN confirmations->${app.kind}::text->>'pair' = ${pair} THEN confirmations
        ELSE confirmations || jsonb_build_object(${app.kind}::text, jsonb_build_object('pair', ${pair}::text, 'at', now())) END
      WHERE id = ${id} RETURNING (confirmations->${app.kind}::text->>'at')::timestamptz AS at
    ) SELECT at FROM confirmed`;
  const row = await queryRow(executor, updated, confirm);
  return row?.at.getTime() ?? Infinity;
}

/** True for a row in which a migration's mark is still to be replaced. */
export function needsAdoption(provider: IdentityProvider): boolean {
  return appsOf(provider).some(({ kind }) => provider.confirmations[kind]?.pair === ADOPT);
}

/** Puts the pairs in the place of the migrations' marks; of an app that WeChat cannot be asked about, the pair counts for every row. */
export async function adoptPairs(executor: SqlExecutor, provider: IdentityProvider): Promise<void> {
  for (const app of appsOf(provider))
    if (provider.confirmations[app.kind]?.pair === ADOPT) await execute(executor, adoptSql(provider.id, app));
}

const adoptSql = (id: string, app: WechatApp): Sql => sql`
  WITH adopted AS (
    UPDATE iam.identity_providers
    SET confirmations = jsonb_set(confirmations, ARRAY[${app.kind}, 'pair'], to_jsonb(${pairOf(app)}::text))
    WHERE id = ${id} AND confirmations->${app.kind}::text->>'pair' = ${ADOPT}
    RETURNING confirmations->${app.kind}::text->>'at' AS at
  )
  INSERT INTO iam.accepted_secrets (appid, pair, accepted_at)
  SELECT ${app.appid}, ${pairOf(app)}, at::timestamptz FROM adopted WHERE ${!isAskable(app)}::boolean
  ON CONFLICT DO NOTHING`;

/** Official Accounts and mini programs have an access token of their own to ask for; website and mobile apps have none. */
export function isAskable({ kind }: WechatApp): boolean {
  return kind === 'mp' || kind === 'mini';
}

/** Another AppID or AppSecret is another pair. */
export function pairOf({ appid, secret }: WechatApp): string {
  return sha256(`iam.identity_providers.confirmations\n${appid}\n${secret.reveal()}`);
}
