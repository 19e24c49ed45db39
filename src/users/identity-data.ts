import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { eventHorizonSql } from '../database/sql-fragments.js';
import { execute, hasRow, queryRow, type SqlExecutor, sql, type Sql, empty } from '../database/sql.js';
import { lockExisting } from './lock-users.js';

/** A person in one app. */
export interface IdentityKey {
  readonly appid: string;
  readonly openid: string;
}

const owner = z.object({ id: z.string() });
const removed = z.object({ was_last: z.boolean() });

/**
 * The user of an identity, locked: two withdrawals of one person would each see what the other is about to remove.
 * Null: no such identity.
 */
export async function lockOwner(
  manager: EntityManager,
  { appid, openid }: IdentityKey,
): Promise<string | null> {
  const ownerSql = sql`SELECT user_id AS id FROM iam.identities WHERE appid = ${appid} AND openid = ${openid}`;
  for (let locked: string | null = null; ;) {
    // A merge that was waited for leaves the identity with another user.
    const found: string | null = (await queryRow(manager, owner, ownerSql))?.id ?? null;
    if (found === locked || found === null) return found;
    await lockExisting(manager, [found]);
    locked = found;
  }
}

/** Forgets the session key of a mini program that a login has brought before the withdrawal. */
export async function forgetSessionKey(
  manager: EntityManager,
  { identity: { appid, openid }, at }: Withdrawal,
): Promise<void> {
  const forget = sql`
    DELETE FROM iam.mini_session_keys
    WHERE appid = ${appid} AND openid = ${openid} AND claimed_at < ${eventHorizonSql(at)}`;
  await execute(manager, forget);
}

/** Sign-ins of an identity that WeChat proved before this time begin no session any more. */
export async function markWithdrawn(
  executor: SqlExecutor,
  { appid, openid }: IdentityKey,
  at: Date,
): Promise<void> {
  const mark = sql`
    UPDATE iam.identities SET withdrawn_at = GREATEST(withdrawn_at, LEAST(${at}::timestamptz, now()))
    WHERE appid = ${appid} AND openid = ${openid}`;
  await execute(executor, mark);
}

/** What a person withdrew from an app, and when: what was read or verified later was granted again. */
export interface Withdrawal {
  readonly userId: string;
  readonly identity: IdentityKey;
  readonly at: Date;
}

const sameIdentity = ({ appid, openid }: IdentityKey): Sql =>
  sql`i.appid = ${appid} AND i.openid = ${openid}`;
/** A person has one profile in WeChat, whichever app shows it. */
const samePerson = (identity: IdentityKey): Sql => sql`(${sameIdentity(identity)} OR EXISTS (
    SELECT FROM iam.identity_unions theirs
    JOIN iam.identity_unions ours ON ours.union_scope = theirs.union_scope AND ours.unionid = theirs.unionid
    JOIN iam.identities o ON o.id = ours.identity_id
    WHERE theirs.identity_id = i.id AND o.appid = ${identity.appid} AND o.openid = ${identity.openid}))`;

/**
 * Forgets nickname and avatar that an identity brought, or, `of` the person, any identity of the same WeChat person: WeChat
 * may show another profile by now. They stay if another identity of the user has brought them too, or if the host or the
 * person has set them.
 */
export async function forgetProfile(
  manager: EntityManager,
  { userId, identity, at }: Withdrawal,
  of: 'identity' | 'person' = 'identity',
): Promise<void> {
  const which = of === 'person' ? samePerson(identity) : sameIdentity(identity);
  const outdateSql = sql`
    UPDATE iam.identities i SET profile_read_at = NULL
    WHERE ${which} AND i.user_id = ${userId} AND i.profile_read_at < ${eventHorizonSql(at)}`;
  await execute(manager, outdateSql);
  const forgetSql = sql`
    UPDATE iam.users SET nickname = CASE WHEN nickname_by <> 'wechat' THEN nickname END,
                         avatar_url = CASE WHEN avatar_by <> 'wechat' THEN avatar_url END, updated_at = now()
    WHERE id = ${userId} AND (nickname_by = 'wechat' OR avatar_by = 'wechat')
      AND NOT EXISTS (SELECT 1 FROM iam.identities WHERE user_id = ${userId} AND profile_read_at IS NOT NULL)`;
  await execute(manager, forgetSql);
}

/**
 * Whether the user's phone number may have come by another identity of theirs in a mini program, or, `of` the person, by one of
 * another WeChat person whom they are too.
 */
export async function hasPhoneOfAnother(
  manager: EntityManager,
  { userId, identity }: Omit<Withdrawal, 'at'>,
  of: 'identity' | 'person',
): Promise<boolean> {
  const same = of === 'person' ? samePerson(identity) : sameIdentity(identity);
  const another = sql`
    SELECT 1 FROM iam.identities i JOIN iam.users u ON u.id = i.user_id AND COALESCE(u.phone_appid, i.appid) = i.appid
    WHERE i.user_id = ${userId} AND i.app_kind = 'mini' AND NOT (${same}) LIMIT 1`;
  return hasRow(manager, another);
}

/**
 * Removes an identity; the database removes the unionids that no other identity carries. True: the user has no identity
 * any more.
 */
export async function removeIdentity(
  manager: EntityManager,
  { appid, openid }: IdentityKey,
): Promise<boolean> {
  const remove = sql`
    WITH gone AS (
      DELETE FROM iam.identities WHERE appid = ${appid} AND openid = ${openid} RETURNING id, user_id
    )
    SELECT NOT EXISTS (
      SELECT 1 FROM iam.identities i WHERE i.user_id = gone.user_id AND i.id <> gone.id) AS was_last
    FROM gone`;
  return (await queryRow(manager, removed, remove))?.was_last === true;
}

/** What an event says about following an Official Account. */
export interface FollowChange {
  readonly appid: string;
  readonly openid: string;
  readonly follows: boolean;
  /** WeChat's `CreateTime`. */
  readonly at: Date;
}

/**
 * Notes a change on the identity, if there is one and nothing newer is known: events may arrive in any order and lead to
 * the same state. Of two in the same second leaving wins; a time in the future is stored as now, or no later event could
 * follow it. `from` is a FROM clause to depend on.
 */
export function noteFollowingSql({ appid, openid, follows, at }: FollowChange, from?: Sql): Sql {
  return sql`
    UPDATE iam.identities SET follows = ${follows}, follow_changed_at = LEAST(${at}::timestamptz, now())
    ${from === undefined ? empty : sql`FROM ${from}`}
    WHERE appid = ${appid} AND openid = ${openid}
      AND (follow_changed_at IS NULL OR follow_changed_at < ${at} OR (follow_changed_at = ${at} AND NOT ${follows}::boolean))`;
}
