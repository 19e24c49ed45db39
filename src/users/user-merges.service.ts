import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { Inject, Injectable } from '@nestjs/common';
import { recordAudit } from '../audit/record-audit.js';
import { execute, queryRows, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { takeBackDeletion } from './change-user.js';
import { lockExisting, type LockedUser } from './lock-users.js';
import { LostRace } from './subject.js';

/** Injection token of the `UserMergeStep`s, in order; composed in `iam.module.ts`, since users know nothing above them. */
export const USER_MERGE_STEPS = Symbol('USER_MERGE_STEPS');

/** What else moves or ends when two users become one; runs in the merge's transaction and may prevent it by throwing. */
export interface UserMergeStep {
  onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void>;
}

/** What a merge may do beyond what WeChat's word allows. */
export interface MergeOptions {
  /** Merges two whom WeChat takes for two people: an app that moved to another Open Platform account gave one person both. */
  readonly evenIfTwo?: boolean;
}

/**
 * Merges two active users into the older. Both rows are locked in id order, so merges of the same pair queue.
 * @returns the id of the user that stays; null when each owns another unionid of one scope: two people by WeChat's word
 */
export async function mergeUsers(
  manager: EntityManager,
  pair: readonly [string, string],
  steps: readonly UserMergeStep[],
  { evenIfTwo = false }: MergeOptions = {},
): Promise<string | null> {
  const [older, younger] = await lockPair(manager, pair);
  const scopes = await scopesOfTwo(manager, older.id, younger.id);
  if (scopes.length > 0 && !evenIfTwo) return null;
  for (const { id, status } of [older, younger])
    if (status === 'disabled')
      throw new IamError('user_disabled', `user ${id} is disabled and is not merged`);
  await moveOwnRows(manager, younger.id, older.id);
  for (const step of steps) await step.onMerge(younger.id, older.id, manager);
  // Nobody wished the joined account away.
  for (const { id } of [older, younger])
    await takeBackDeletion(manager, id, { detail: { reason: 'merged' } });
  await retire(manager, younger, older);
  await recordAudit(manager, {
    action: 'user.merged',
    userId: older.id,
    detail: {
      from: younger.id,
      to: older.id,
      fromExternalId: younger.external_id,
      toExternalId: older.external_id,
      ...(scopes.length > 0 && { twoUnionidsIn: scopes }),
    },
  });
  return older.id;
}

async function lockPair(manager: EntityManager, pair: readonly [string, string]) {
  const [first, second] = await lockExisting(manager, pair);
  if (first === undefined || second === undefined) throw new LostRace();
  if (first.status === 'merged' || second.status === 'merged') throw new LostRace();
  return [first, second] as const;
}

/** The scopes in which each of two users owns another unionid; the users are ids, or columns of a statement around it. */
export const twoUnionidsSql = (one: string | Sql, other: string | Sql): Sql => sql`
  SELECT DISTINCT a.union_scope
  FROM iam.unions a JOIN iam.unions b ON b.union_scope = a.union_scope AND b.unionid <> a.unionid
  WHERE a.user_id = ${one} AND b.user_id = ${other} ORDER BY a.union_scope`;

/** The scopes in which each of two users owns another unionid; none for one person. */
export async function scopesOfTwo(manager: EntityManager, one: string, other: string): Promise<string[]> {
  const rows = await queryRows(manager, z.object({ union_scope: z.string() }), twoUnionidsSql(one, other));
  return rows.map(({ union_scope }) => union_scope);
}

/**
 * The host's id for the one that goes is handed over, or stays with it and leads to the one that has its own. So is a
 * phone number, or it is forgotten.
 */
async function retire(manager: EntityManager, gone: LockedUser, kept: LockedUser): Promise<void> {
  const handedOver = kept.external_id === null ? gone.external_id : null;
  await execute(
    manager,
    sql`WITH gone AS (
       UPDATE iam.users SET status = 'merged', merged_into = ${kept.id}, external_id = NULLIF(external_id, ${handedOver}),
              phone_number = NULL, phone_verified_at = NULL, updated_at = now()
       WHERE id = ${gone.id}
     ), phone AS (
       UPDATE iam.users u SET phone_number = gone.phone_number, phone_verified_at = gone.phone_verified_at
       FROM iam.users gone
       WHERE gone.id = ${gone.id} AND u.id = ${kept.id} AND u.phone_number IS NULL AND gone.phone_number IS NOT NULL
     ) UPDATE iam.users SET merged_into = ${kept.id} WHERE merged_into = ${gone.id}`,
  );
  if (handedOver === null) return;
  await execute(manager, sql`UPDATE iam.users SET external_id = ${handedOver} WHERE id = ${kept.id}`);
}

async function moveOwnRows(manager: EntityManager, from: string, to: string): Promise<void> {
  await execute(manager, sql`UPDATE iam.unions SET user_id = ${to} WHERE user_id = ${from}`);
  await execute(manager, sql`UPDATE iam.identities SET user_id = ${to} WHERE user_id = ${from}`);
}

/** Merges of users whom somebody else than WeChat knows to be one person. */
@Injectable()
export class UserMerges {
  constructor(@Inject(USER_MERGE_STEPS) private readonly steps: readonly UserMergeStep[]) {}

  /**
   * Merges two users whom the caller has locked into the older one.
   * @returns the id of the one that stays
   * @throws IamError `merge_refused` when each owns another unionid of one scope, which the error names, `user_disabled`
   */
  async merge(
    manager: EntityManager,
    pair: readonly [string, string],
    options: MergeOptions = {},
  ): Promise<string> {
    const kept = await mergeUsers(manager, pair, this.steps, options);
    if (kept !== null) return kept;
    const union_scopes = (await scopesOfTwo(manager, ...pair)).join(' ');
    throw new IamError('merge_refused', `${pair.join(' and ')} own different unionids in ${union_scopes}`, {
      members: { union_scopes },
    });
  }
}
