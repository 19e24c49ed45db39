import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { KeyRing } from '../crypto/key-ring.js';
import { isSealed, Sealer, SealError } from '../crypto/sealer.js';
import { Secret } from '../crypto/secret.js';
import { defineTable, key, text, timestamp } from '../database/define-table.js';
import { empty, execute, queryRow, queryRows, raw, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import type { IdentityKey } from '../users/identity-data.js';
import type { RecordResolution } from '../users/subject.js';

/**
 * `iam.mini_session_keys`: the session key of an identity's last login to a mini program, sealed, of rows that ask to keep
 * it. It goes with its identity.
 */
export const MiniSessionKeyEntity = defineTable('mini_session_keys', {
  columns: {
    appid: key(text),
    openid: key(text),
    session_key: text,
    /** When the login that brought it claimed its code: the key of an earlier one replaces nothing. */
    claimed_at: timestamp,
  },
  references: {
    mini_session_keys_identity_fkey: {
      table: 'identities',
      columns: { appid: 'appid', openid: 'openid' },
      onDelete: 'CASCADE',
    },
  },
});

/** A session key that a code has just brought, sealed. */
export interface NewSessionKey extends IdentityKey {
  readonly sealed: string;
}

/** A session key that is kept, and whose it is. */
export interface KeptSessionKey {
  readonly openid: string;
  readonly key: Secret;
}

/** Whose session key: of a user the one that came last. */
export type SessionKeyOwner = { readonly userId: string } | { readonly openid: string };

/** What session keys are sealed for; see `Sealer`. */
const PURPOSE = 'mini-session-keys';

const contextOf = ({ appid, openid }: IdentityKey): string => `mini_session_keys/${appid}/${openid}`;

const kept = z.object({ openid: z.string(), session_key: z.string() });

/** Keeps the key of the login, unless `condition` fails or a later login has brought another one. */
const keepSql = ({ appid, openid, sealed }: NewSessionKey, loginId: string, condition: Sql): Sql => sql`
  INSERT INTO iam.mini_session_keys AS k (appid, openid, session_key, claimed_at)
  SELECT ${appid}::text, ${openid}::text, ${sealed}::text, l.created_at FROM iam.logins l WHERE l.id = ${loginId} ${condition}
  ON CONFLICT (appid, openid) DO UPDATE SET session_key = EXCLUDED.session_key, claimed_at = EXCLUDED.claimed_at
  WHERE k.claimed_at <= EXCLUDED.claimed_at`;

const ofUser = (userId: string): Sql =>
  sql`(k.appid, k.openid) IN (SELECT appid, openid FROM iam.identities WHERE user_id = ${isUuid(userId) ? userId : null})`;

/** Keeps the session keys of mini programs, where the provider row asks for it; they leave this process in no form. */
@Injectable()
export class SessionKeys {
  private readonly sealer: Sealer;

  constructor(
    @Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.sealer = new Sealer(keyRing, PURPOSE);
  }

  seal({ appid, openid }: IdentityKey, sessionKey: Secret): NewSessionKey {
    const identity = { appid, openid };
    return { ...identity, sealed: this.sealer.seal(sessionKey.reveal(), contextOf(identity)) };
  }

  /** Adds the key, if there is one, to what a sign-in stores: nothing is kept of a person without a user. */
  recordedWith(
    record: RecordResolution,
    loginId: string,
    sessionKey: NewSessionKey | undefined,
  ): RecordResolution {
    if (sessionKey === undefined) return record;
    const hasUser = sql`AND EXISTS (SELECT FROM login WHERE login.user_id IS NOT NULL)`;
    return (person) => sql`${record(person)}, session_key AS (${keepSql(sessionKey, loginId, hasUser)})`;
  }

  /** Keeps the key of an identity that this transaction has linked. */
  async keep(manager: EntityManager, loginId: string, sessionKey: NewSessionKey): Promise<void> {
    await execute(manager, keepSql(sessionKey, loginId, empty));
  }

  /** @throws IamError `session_key_missing`, also for one that the option `keys` does not open any more */
  async get(appid: string, owner: SessionKeyOwner): Promise<KeptSessionKey> {
    const isOwned = 'openid' in owner ? sql`k.openid = ${owner.openid}` : ofUser(owner.userId);
    const find = sql`
      SELECT k.openid, k.session_key FROM iam.mini_session_keys k WHERE k.appid = ${appid} AND ${isOwned}
      ORDER BY k.claimed_at DESC LIMIT 1`;
    const row = await queryRow(this.dataSource, kept, find);
    if (row === null) throw new IamError('session_key_missing', `no session key of this person in ${appid}`);
    const { openid } = row;
    try {
      return { openid, key: new Secret(this.sealer.open(row.session_key, contextOf({ appid, openid }))) };
    } catch (cause) {
      if (!(cause instanceof SealError)) throw cause;
      throw new IamError('session_key_missing', cause.message, { cause });
    }
  }
}

const counted = z.object({ key_id: z.string().nullable(), count: z.number() });
const stored = z.object({ appid: z.string(), openid: z.string(), session_key: z.string() });
type StoredKey = z.infer<typeof stored>;

const PAGE = 500;
const keyIdSql = raw(`CASE WHEN session_key LIKE 'sealed:v1:%' THEN split_part(session_key, ':', 3) END`);

/** Locked, so that no login replaces one meanwhile. */
const pageSql = ({ appid, openid }: IdentityKey, currentId: string): Sql => sql`
  SELECT appid, openid, session_key FROM iam.mini_session_keys
  WHERE (appid, openid) > (${appid}, ${openid}) AND ${keyIdSql} IS DISTINCT FROM ${currentId}
  ORDER BY appid, openid LIMIT ${PAGE} FOR UPDATE`;

const replaceSql = (rows: readonly StoredKey[]): Sql => {
  const of = (column: keyof StoredKey) => rows.map((row) => row[column]);
  return sql`
    UPDATE iam.mini_session_keys k SET session_key = given.session_key
    FROM unnest(${of('appid')}::text[], ${of('openid')}::text[], ${of('session_key')}::text[]) AS given (appid, openid, session_key)
    WHERE k.appid = given.appid AND k.openid = given.openid`;
};

/** The kept session keys by the key that sealed them, and their re-encryption, page by page. */
export async function sealedSessionKeys(dataSource: DataSource, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, PURPOSE);
  const count = sql`SELECT ${keyIdSql} AS key_id, count(*)::int AS count FROM iam.mini_session_keys GROUP BY 1`;
  const counts = await queryRows(dataSource, counted, count);
  const foreign = counts.filter(({ key_id }) => key_id !== keyRing.currentId);
  const resealed = ({ session_key: sealed, ...identity }: StoredKey): StoredKey[] => {
    const context = contextOf(identity);
    if (!isSealed(sealed) || !sealer.needsReencryption(sealed, context)) return [];
    return [{ ...identity, session_key: sealer.seal(sealer.open(sealed, context), context) }];
  };
  async function* steps() {
    const at: { last: IdentityKey | null } = { last: { appid: '', openid: '' } };
    while (at.last !== null) {
      const after = at.last;
      yield {
        label: { table: 'mini_session_keys' },
        run: async (manager: EntityManager) => {
          const page = await queryRows(manager, stored, pageSql(after, keyRing.currentId));
          at.last = page.length === PAGE ? (page.at(-1) ?? null) : null;
          const rows = page.flatMap(resealed);
          if (rows.length > 0) await execute(manager, replaceSql(rows));
          return { rows: page.length, count: rows.length };
        },
      };
    }
  }
  return {
    keyIds: new Map(counts.map((each) => [each.key_id, each.count] as const)),
    rows: foreign.reduce((sum, each) => sum + each.count, 0),
    steps: foreign.length === 0 ? [] : steps(),
  };
}
