import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { execute, queryRows, sql, type Sql } from '../database/sql.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamError } from '../errors/iam.error.js';
import { isRecord } from '../errors/unknown.js';
import { cancelDeletion } from './change-user.js';
import { lockExisting, type LockedUser } from './lock-users.js';
import { LostRace } from './link-subject.js';

/** What else moves or ends when two users become one. */
export interface UserMergeListener {
  /** Runs in the merge's transaction, and prevents the merge by throwing. */
  onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void>;
}

/**
 * Marks a provider as a `UserMergeListener`. The number says its turn: listeners lock rows, and all merges have to lock them
 * in the same order.
 */
export const OnUserMerge = DiscoveryService.createDecorator<number>();

interface MergeOptions {
  /** Merges users whom WeChat takes for two people: an app that moved to another Open Platform account gave one person both. */
  readonly evenIfTwo?: boolean;
}

/** Merges two users into the older one, and calls every `@OnUserMerge()` listener and the host's hook. */
@Injectable()
export class UserMerges implements OnModuleInit {
  private found: readonly UserMergeListener[] | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly hooks: HookRunner,
  ) {}

  /** Looks for the listeners, so that a provider without the method stops the start. */
  onModuleInit(): void {
    this.listeners();
  }

  /** Found at the first merge at the latest: a testing module may merge without `init()`. */
  private listeners(): readonly UserMergeListener[] {
    this.found ??= this.discovery
      .getProviders({ metadataKey: OnUserMerge.KEY })
      .map((wrapper) => ({
        listener: toListener(wrapper.instance),
        turn: this.discovery.getMetadataByDecorator(OnUserMerge, wrapper) ?? 0,
      }))
      .sort((one, other) => one.turn - other.turn)
      .map(({ listener }) => listener);
    return this.found;
  }

  /**
   * As `tryMerge`, for users whom an administrator knows to be one person.
   * @throws IamError `merge_refused` when each owns another unionid of one scope, which the error names, `user_disabled`
   */
  async merge(
    manager: EntityManager,
    pair: readonly [string, string],
    options: MergeOptions = {},
  ): Promise<string> {
    const kept = await this.tryMerge(manager, pair, options);
    if (kept !== null) return kept;
    const union_scopes = (await scopesOfTwo(manager, ...pair)).join(' ');
    throw new IamError('merge_refused', `${pair.join(' and ')} own different unionids in ${union_scopes}`, {
      members: { union_scopes },
    });
  }

  /**
   * Merges two active users into the older. Both rows are locked in id order, so merges of the same pair queue.
   * @returns the id of the user that stays; null when each owns another unionid of one scope: two people, says WeChat
   */
  async tryMerge(
    manager: EntityManager,
    pair: readonly [string, string],
    { evenIfTwo = false }: MergeOptions = {},
  ): Promise<string | null> {
    const [older, younger] = await lockPair(manager, pair);
    const scopes = await scopesOfTwo(manager, older.id, younger.id);
    if (scopes.length > 0 && !evenIfTwo) return null;
    for (const { id, status } of [older, younger])
      if (status === 'disabled')
        throw new IamError('user_disabled', `user ${id} is disabled and is not merged`);
    await moveOwnRows(manager, younger.id, older.id);
    for (const listener of [...this.listeners(), this.hooks])
      await listener.onMerge(younger.id, older.id, manager);
    // The request was about one of the two accounts, not about the merged one.
    for (const { id } of [older, younger])
      await cancelDeletion(manager, id, { detail: { reason: 'merged' } });
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
}

function toListener(instance: unknown): UserMergeListener {
  if (isListener(instance)) return instance;
  throw new TypeError('@OnUserMerge() expects a provider with a method onMerge');
}

function isListener(instance: unknown): instance is UserMergeListener {
  return isRecord(instance) && typeof instance['onMerge'] === 'function';
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

const scopeRow = z.object({ union_scope: z.string() });

/** The scopes in which each of two users owns another unionid; none for one person. */
async function scopesOfTwo(manager: EntityManager, one: string, other: string): Promise<string[]> {
  const rows = await queryRows(manager, scopeRow, twoUnionidsSql(one, other));
  return rows.map(({ union_scope }) => union_scope);
}

/**
 * The host's id for the one that goes is handed over, or stays with it and leads to the one that has its own. So is a
 * phone number, or it is forgotten; the one that goes gives it up first, since only one of them may have it. Others may have got it
 * while the host did not ask for numbers of one user alone: it is not unique any more then, or no merge would succeed.
 */
async function retire(manager: EntityManager, gone: LockedUser, kept: LockedUser): Promise<void> {
  const handedOver = kept.external_id === null ? gone.external_id : null;
  await execute(
    manager,
    sql`WITH held AS (
       SELECT phone_number, phone_verified_at, phone_appid, phone_is_unique FROM iam.users
       WHERE id = ${gone.id} AND phone_number IS NOT NULL
     ), gone AS (
       UPDATE iam.users SET status = 'merged', merged_into = ${kept.id}, external_id = NULLIF(external_id, ${handedOver}),
              phone_number = NULL, phone_verified_at = NULL, phone_appid = NULL, phone_is_unique = false, updated_at = now()
       WHERE id = ${gone.id}
       RETURNING id
     ), phone AS (
       UPDATE iam.users u SET phone_number = held.phone_number, phone_verified_at = held.phone_verified_at,
              phone_appid = held.phone_appid, phone_is_unique = held.phone_is_unique AND NOT EXISTS (
                SELECT FROM iam.users o WHERE reverse(o.phone_number) = reverse(held.phone_number) AND o.id <> ${gone.id})
       FROM held, gone
       WHERE u.id = ${kept.id} AND u.phone_number IS NULL
     ) UPDATE iam.users SET merged_into = ${kept.id} WHERE merged_into = ${gone.id}`,
  );
  if (handedOver === null) return;
  await execute(manager, sql`UPDATE iam.users SET external_id = ${handedOver} WHERE id = ${kept.id}`);
}

async function moveOwnRows(manager: EntityManager, from: string, to: string): Promise<void> {
  await execute(manager, sql`UPDATE iam.unions SET user_id = ${to} WHERE user_id = ${from}`);
  await execute(manager, sql`UPDATE iam.identities SET user_id = ${to} WHERE user_id = ${from}`);
}
