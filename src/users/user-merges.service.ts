import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { IamError } from '../errors/iam.error.js';
import { mergeUsers, scopesOfTwo, type MergeOptions, type UserMergeStep } from './merge-users.js';
import { USER_MERGE_STEPS } from './user-merge-steps.js';

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
