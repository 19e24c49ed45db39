import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit, type AuditEntry } from '../audit/record-audit.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/database-errors.js';
import { inTransaction, type SqlExecutor } from '../database/sql.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { cleanNickname } from '../wechat/profile-text.js';
import { type NewUser, explainTaken, readExternalId } from './change-user.js';
import {
  findSubject,
  type SubjectMatch,
  type Subject,
  createUserOf,
  linkSubject,
  LostRace,
  type LinkTarget,
  type LinkedIdentity,
} from './subject.js';
import { UserMerges } from './user-merges.service.js';

/** The user of a subject. `bind`: the provider row wants an account of the host to be connected first. */
export type Resolution =
  { readonly kind: 'user'; readonly userId: string; readonly isNewUser: boolean } | { readonly kind: 'bind' };

/** How a subject is resolved. */
export interface ResolveOptions {
  readonly signUp: 'auto' | 'bind' | 'off';
  /** The result of an earlier `find` of the same subject, which saves the first look. */
  readonly holder?: SubjectMatch | undefined;
  /** Runs in the transaction of the change, or on its own when nothing changes. */
  readonly record: (executor: SqlExecutor, resolution: Resolution) => Promise<void>;
}

const RACES = 5;

/** People: which user a proven WeChat subject is, decided by the unique constraints of `identities` and `unions`. */
@Injectable()
export class Users {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly merges: UserMerges,
    private readonly hooks: HookRunner,
  ) {}

  /** Who holds this subject now; one round trip. */
  find(subject: Pick<Subject, 'appid' | 'openid' | 'unionScope' | 'unionid'>): Promise<SubjectMatch> {
    return findSubject(this.dataSource, subject, this.options.profileFreshness);
  }

  /**
   * The user of a subject: created, joined by unionid or merged as design section 5 says.
   * @throws IamError `user_disabled`, `sign_up_refused`, or `database_unavailable` after too many lost races
   */
  async resolve(subject: Subject, options: ResolveOptions): Promise<Resolution> {
    let holder = options.holder ?? (await this.find(subject));
    for (let race = 1; ; race += 1) {
      try {
        return await this.resolveHeld(subject, holder, options);
      } catch (error) {
        // A user erased since they were found is no longer there to refer to.
        if (!(error instanceof LostRace) && !isForeignKeyViolation(error)) throw error;
        if (race === RACES) throw lostEveryRace(error);
        holder = await this.find(subject);
      }
    }
  }

  /** Makes a subject belong to a user who was proven in another way. @throws IamError `identity_conflict` */
  async link(
    manager: EntityManager,
    subject: Subject,
    userId: string,
    by: Pick<AuditEntry, 'sessionId' | 'clientId'> = {},
  ): Promise<LinkedIdentity> {
    const target = this.target(userId, 'given');
    const linked = await linkSubject(manager, subject, target).catch((cause: unknown) => {
      if (!(cause instanceof LostRace)) throw cause;
      throw new IamError('identity_conflict', `${subject.appid} identity has another owner`, { cause });
    });
    if (linked.isNew)
      await recordAudit(manager, { ...by, action: 'identity.linked', userId, ...aboutSubject(subject) });
    return linked;
  }

  private async resolveHeld(
    subject: Subject,
    holder: SubjectMatch,
    options: ResolveOptions,
  ): Promise<Resolution> {
    const owner = holder.identity_user_id ?? holder.union_user_id;
    if (holder.is_barred) throw new IamError('user_disabled', 'a ban covers this person');
    if (owner === null) return this.signUp(subject, options);
    if (holder.status === 'merged') throw new LostRace();
    if (holder.status === 'disabled') throw new IamError('user_disabled', `user ${owner} is disabled`);
    if (isSettled(subject, holder)) return this.recorded(this.dataSource, options, owner);
    return inTransaction(this.dataSource, async (manager) =>
      this.settle(manager, subject, holder, { ...options, owner }),
    );
  }

  /** Adds the missing link, refreshes the profile, and merges when identity and unionid name two users. */
  private async settle(
    manager: EntityManager,
    subject: Subject,
    holder: SubjectMatch,
    options: ResolveOptions & { owner: string },
  ): Promise<Resolution> {
    const { identity_user_id: byIdentity, union_user_id: byUnion } = holder;
    if (byIdentity === null || byUnion === null || byIdentity === byUnion) {
      const target = this.target(options.owner, byIdentity === null ? 'union' : 'identity');
      await join(manager, subject, holder, target);
      return this.recorded(manager, options, options.owner);
    }
    const survivor = await this.merges.tryMerge(manager, [byIdentity, byUnion]);
    if (survivor === null) return this.refuseMerge(manager, subject, options);
    await join(manager, subject, holder, this.target(survivor, 'both'));
    return this.recorded(manager, options, survivor);
  }

  /** Two people stay two users; the identity decides who signs in. */
  private async refuseMerge(
    manager: EntityManager,
    subject: Subject,
    options: ResolveOptions & { owner: string },
  ): Promise<Resolution> {
    const { owner: userId } = options;
    await linkSubject(manager, { ...subject, unionid: null }, this.target(userId, 'identity'));
    await recordAudit(manager, { action: 'user.merge_refused', userId, ...aboutSubject(subject) });
    return this.recorded(manager, options, userId);
  }

  private async signUp(subject: Subject, options: ResolveOptions): Promise<Resolution> {
    if (options.signUp === 'off')
      throw new IamError('sign_up_refused', `sign-up is off for "${subject.provider}"`);
    if (options.signUp === 'bind') {
      await options.record(this.dataSource, { kind: 'bind' });
      return { kind: 'bind' };
    }
    const start = await this.startOf(subject);
    const create = async (manager: EntityManager): Promise<Resolution> => {
      const userId = await createUserOf(manager, subject, start);
      const resolution: Resolution = { kind: 'user', userId, isNewUser: true };
      await options.record(manager, resolution);
      return resolution;
    };
    return inTransaction(this.dataSource, create).catch((error: unknown) =>
      this.explainTaken(subject, error),
    );
  }

  /** Another user has the host's external id: the same person by a sign-in that was first, or another person. */
  private async explainTaken(subject: Subject, cause: unknown): Promise<never> {
    if (!isUniqueViolation(cause)) throw cause;
    const { identity_user_id, union_user_id } = await this.find(subject);
    if (identity_user_id !== null || union_user_id !== null) throw new LostRace();
    return explainTaken(cause);
  }

  private async startOf(subject: Subject): Promise<Omit<NewUser, 'id'>> {
    const decision = await this.hooks.beforeSignUp({
      provider: subject.provider,
      appid: subject.appid,
      openid: subject.openid,
      unionid: subject.unionid,
      nickname: subject.profile?.nickname ?? null,
      avatarUrl: subject.profile?.avatarUrl ?? null,
    });
    if (decision?.refuse === true) throw new IamError('sign_up_refused', 'the host refused this sign-up');
    const nickname = cleanNickname(decision?.nickname);
    return {
      externalId: decision?.externalId == null ? null : readExternalId(decision.externalId),
      nickname: nickname ?? subject.profile?.nickname ?? null,
      nicknameBy: nickname === null ? 'wechat' : 'host',
      avatarUrl: subject.profile?.avatarUrl ?? null,
    };
  }

  private target(userId: string, basis: LinkTarget['basis']): LinkTarget {
    return { userId, basis, profile: this.options.profile };
  }

  private async recorded(
    executor: SqlExecutor,
    options: ResolveOptions,
    userId: string,
  ): Promise<Resolution> {
    const resolution: Resolution = { kind: 'user', userId, isNewUser: false };
    await options.record(executor, resolution);
    return resolution;
  }
}

/** Adds to a user what was not known of the subject; the audit log says so. */
async function join(
  manager: EntityManager,
  subject: Subject,
  holder: SubjectMatch,
  target: LinkTarget,
): Promise<void> {
  const { isNew } = await linkSubject(manager, subject, target);
  if (!isNew && (subject.unionid === null || holder.identity_has_union)) return;
  const action = isNew ? 'identity.linked' : 'identity.unionid_learned';
  await recordAudit(manager, { action, userId: target.userId, ...aboutSubject(subject) });
}

function aboutSubject({
  provider,
  appid,
  openid,
  unionid,
}: Subject): Pick<AuditEntry, 'provider' | 'detail'> {
  return { provider, detail: { appid, openid, unionid } };
}

function lostEveryRace(cause: unknown): IamError {
  return new IamError('database_unavailable', `lost ${RACES} races`, { cause, retryAfterSeconds: 1 });
}

/** Nothing to write: the identity is known, carries the unionid shown, and no new profile was read. */
function isSettled(subject: Subject, holder: SubjectMatch): boolean {
  const unionIsKnown =
    subject.unionid === null ||
    (holder.identity_has_union && holder.union_user_id === holder.identity_user_id);
  return holder.identity_user_id !== null && unionIsKnown && subject.profile === null;
}
