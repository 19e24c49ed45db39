import { DataSource } from 'typeorm';
import { z } from 'zod';
import { sha256 } from '../crypto/hash.js';
import { defineTable, key, now, text } from '../database/define-table.js';
import { execute, queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { appsOf, type IdentityProvider } from './identity-provider.js';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';

/**
 * `iam.accepted_secrets`: the AppSecret with which WeChat last exchanged a code of a website or mobile app. It belongs to the
 * app, not to the provider rows that have it.
 */
export const AcceptedSecretEntity = defineTable('accepted_secrets', {
  columns: {
    appid: key(text),
    /** What `pairOf` makes of AppID and AppSecret. */
    pair: text,
    accepted_at: now,
  },
});

/** A migration wrote this for pairs that were in use before pairs were confirmed. */
const ADOPT = 'adopt';

const updated = z.object({ at: z.date() });

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

/**
 * Puts the pairs in the place of the migrations' marks; of an app without an access token of its own, the pair counts for every
 * row. False: the row has no mark.
 */
export async function adoptPairs(executor: SqlExecutor, provider: IdentityProvider): Promise<boolean> {
  const marked = appsOf(provider).filter(({ kind }) => provider.confirmations[kind]?.pair === ADOPT);
  for (const app of marked) await execute(executor, adoptSql(provider.id, app));
  return marked.length > 0;
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

/** Official Accounts and mini programs have an access token of their own, which verifies the pair; website and mobile apps have none. */
export function isAskable({ kind }: WechatApp): boolean {
  return kind === 'mp' || kind === 'mini';
}

/** Another AppID or AppSecret is another pair. */
function pairOf({ appid, secret }: WechatApp): string {
  return sha256(`iam.identity_providers.confirmations\n${appid}\n${secret.reveal()}`);
}

/** A process does not write the same note again within this time. */
const NOTED_MS = 600_000;
const pairRow = z.object({ pair: z.string() });

/** An AppSecret that WeChat accepts takes the place of the one before, which a reset at WeChat has ended. */
const noteSql = (app: WechatApp): Sql => sql`
  INSERT INTO iam.accepted_secrets AS known (appid, pair) VALUES (${app.appid}, ${pairOf(app)})
  ON CONFLICT (appid) DO UPDATE SET pair = EXCLUDED.pair, accepted_at = now() WHERE known.pair <> EXCLUDED.pair`;

/**
 * The AppSecrets of website and mobile apps, which no call of WeChat verifies: the only proof that one is right is an exchange
 * of a code that WeChat accepted.
 */
@Injectable()
export class AcceptedSecrets {
  /** A row that changes gets new app objects. */
  private readonly noted = new WeakMap<WechatApp, number>();

  constructor(
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** WeChat has exchanged a code of this app; written by the first of many sign-ins. */
  async note(app: WechatApp): Promise<void> {
    const notedAt = this.noted.get(app);
    if (notedAt !== undefined && this.clock.elapsed() < notedAt + NOTED_MS) return;
    await execute(this.dataSource, noteSql(app));
    this.noted.set(app, this.clock.elapsed());
  }

  /** Whether this AppSecret is the last one that WeChat accepted for the app, by whatever row. */
  async isAccepted(app: WechatApp): Promise<boolean> {
    const accepted = sql`SELECT pair FROM iam.accepted_secrets WHERE appid = ${app.appid}`;
    const known = await queryRow(this.dataSource, pairRow, accepted);
    return known?.pair === pairOf(app);
  }
}
