import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { insertAudit, recordAudit, type AuditEntry } from '../audit/record-audit.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/database-errors.js';
import { hasRow, inTransaction, sql, type Sql, type SqlExecutor } from '../database/sql.js';
import { HookRunner } from '../database/hook-runner.js';
import type { MatchedUser, SignUp } from '../config/iam.hooks.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { cleanNickname } from '../wechat/profile-text.js';
import { type NewUser, type VerifiedPhone, explainTaken, readHookExternalId } from './change-user.js';
import { createUserOf, linkSubject, LostRace, type LinkTarget, type LinkedIdentity } from './link-subject.js';
import {
  findSubject,
  type RecordResolution,
  type Recording,
  type SoughtSubject,
  type SubjectMatch,
  type Subject,
} from './subject.js';
import { lockMatchedUser } from './matched-users.js';
import { UserMerges } from './user-merges.service.js';

/** The user of a subject. `bind`: the provider row wants an account of the host to be connected first. */
export type Resolution = {
  /** False when the login had ended meanwhile, or an earlier try, whose response was lost, has recorded it. */
  readonly isRecorded: boolean;
} & (
  { readonly kind: 'user'; readonly userId: string; readonly isNewUser: boolean } | { readonly kind: 'bind' }
);

/** How a subject is resolved. */
interface ResolveOptions {
  readonly signUp: 'auto' | 'bind' | 'off';
  /** The result of an earlier `find` of the same subject, which saves the first look. */
  readonly holder?: SubjectMatch | undefined;
  /** Part of the statement that finds, creates or joins the person. */
  readonly record: RecordResolution;
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

  /** Who holds this subject now; one round trip, which with `recording` resolves whom it can. */
  async find(subject: SoughtSubject, recording?: Recording): Promise<SubjectMatch> {
    const { profileFreshness: freshness } = this.options;
    return findSubject(this.dataSource, subject, { freshness, recording }).catch((error: unknown) => {
      // A user erased since they were found is no longer there to refer to.
      if (recording === undefined || !isForeignKeyViolation(error)) throw error;
      return this.find(subject);
    });
  }

  /**
   * The user of a subject: created, joined by unionid or merged (docs/architecture.md, Resolution). One statement, and one before it
   * where the subject is new or has changed; a merge is a transaction.
   * @throws IamError `user_disabled`, `sign_up_refused`, or `database_unavailable` after too many lost races
   */
  async resolve(subject: Subject, { holder: known, ...options }: ResolveOptions): Promise<Resolution> {
    const { record } = options;
    const isKnown = subject.profile === null && subject.phoneNumber === undefined;
    const find = () => this.find(subject, isKnown ? { record, isSilent: true } : undefined);
    let holder = known ?? (await find());
    // The host is asked once, whoever else signs in meanwhile.
    let asked: Promise<MatchedUser | undefined> | undefined;
    const match = () => (asked ??= this.hooks.matchUser(signUpOf(subject)));
    for (let race = 1; ; race += 1) {
      try {
        return await this.resolveHeld(subject, holder, { ...options, match });
      } catch (error) {
        if (!(error instanceof LostRace) && !isForeignKeyViolation(error)) throw error;
        if (race === RACES) throw lostEveryRace(error);
        holder = await find();
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
    const target = this.target(subject, userId, 'given');
    const entry = { ...by, action: 'identity.linked', userId, ...aboutSubject(subject) } as const;
    return linkSubject(manager, subject, target, { more: [auditOf(entry, { isNew: true })] }).catch(
      (cause: unknown) => {
        if (!(cause instanceof LostRace)) throw cause;
        throw new IamError('identity_conflict', `${subject.appid} identity has another owner`, { cause });
      },
    );
  }

  private async resolveHeld(
    subject: Subject,
    holder: SubjectMatch,
    { match, ...options }: ResolveOptions & { readonly match: () => Promise<MatchedUser | undefined> },
  ): Promise<Resolution> {
    const { identity_user_id: byIdentity, union_user_id: byUnion } = holder;
    const userId = byIdentity ?? byUnion;
    if (holder.is_barred) throw new IamError('user_disabled', 'a ban covers this person');
    if (userId === null) {
      const matched = await match();
      if (matched === undefined) return this.signUp(subject, options);
      return inTransaction(this.dataSource, (manager) =>
        this.joinMatched(manager, { subject, holder, matched }, options),
      );
    }
    const { is_resolved, is_recorded: isRecorded } = holder;
    if (is_resolved) return { kind: 'user', userId, isNewUser: false, isRecorded };
    if (holder.status === 'merged') throw new LostRace();
    if (holder.status === 'disabled') throw new IamError('user_disabled', `user ${userId} is disabled`);
    if (byIdentity !== null && byUnion !== null && byIdentity !== byUnion)
      return inTransaction(this.dataSource, (manager) =>
        this.merge(manager, { subject, holder, pair: [byIdentity, byUnion] }, options),
      );
    const target = this.target(subject, userId, byIdentity === null ? 'union' : 'identity');
    return join(this.dataSource, { subject, holder }, target, options);
  }

  /** Identity and unionid name two users. */
  private async merge(
    manager: EntityManager,
    { pair, ...known }: KnownSubject & { readonly pair: readonly [string, string] },
    options: ResolveOptions,
  ): Promise<Resolution> {
    const survivor = await this.merges.tryMerge(manager, pair);
    if (survivor !== null) return join(manager, known, this.target(known.subject, survivor, 'both'), options);
    // Two people stay two users; the identity decides who signs in.
    const [userId] = pair;
    const refused = { action: 'user.merge_refused', userId, ...aboutSubject(known.subject) } as const;
    await recordAudit(manager, refused);
    const subject = { ...known.subject, unionid: null };
    return join(manager, { ...known, subject }, this.target(subject, userId, 'identity'), options);
  }

  /** The host knows who a person is whom we do not know. */
  private async joinMatched(
    manager: EntityManager,
    { matched, ...known }: KnownSubject & { readonly matched: MatchedUser },
    options: ResolveOptions,
  ): Promise<Resolution> {
    const { subject } = known;
    const userId = await lockMatchedUser(manager, matched, subject);
    const joined = await join(manager, known, this.target(subject, userId, 'given'), options);
    const action = 'user.matched_by_host';
    await recordAudit(manager, { action, userId, ...aboutSubject(subject) });
    return joined;
  }

  private async signUp(subject: Subject, { signUp, record }: ResolveOptions): Promise<Resolution> {
    if (signUp === 'off') throw new IamError('sign_up_refused', `sign-up is off for "${subject.provider}"`);
    if (signUp === 'bind') {
      const effects = record({ openid: subject.openid, isNewUser: false, toBind: subject });
      const bind = sql`WITH person AS (SELECT NULL::uuid AS user_id), ${effects} SELECT 1 FROM login`;
      return { kind: 'bind', isRecorded: await hasRow(this.dataSource, bind) };
    }
    const start = await this.startOf(subject);
    const creation = createUserOf(this.dataSource, subject, { start, record });
    const creating = await creation.catch((error: unknown) => this.explainTaken(subject, error));
    return { kind: 'user', isNewUser: true, ...creating };
  }

  /** A sign-in of the same person was first, perhaps with the same number, or another user has the number or the host's external id. */
  private async explainTaken(subject: Subject, cause: unknown): Promise<never> {
    const isTaken = cause instanceof IamError && cause.code === 'phone_number_taken';
    if (!isTaken && !isUniqueViolation(cause)) throw cause;
    const { identity_user_id, union_user_id } = await this.find(subject);
    if (identity_user_id !== null || union_user_id !== null) throw new LostRace();
    return explainTaken(cause);
  }

  private async startOf(subject: Subject): Promise<Omit<NewUser, 'id'>> {
    const decision = await this.hooks.beforeSignUp(signUpOf(subject));
    if (decision?.refuse === true) throw new IamError('sign_up_refused', 'the host refused this sign-up');
    const nickname = cleanNickname(decision?.nickname);
    return {
      externalId:
        decision?.externalId == null ? null : readHookExternalId('beforeSignUp', decision.externalId),
      nickname: nickname ?? subject.profile?.nickname ?? null,
      nicknameBy: nickname === null ? 'wechat' : 'host',
      avatarUrl: subject.profile?.avatarUrl ?? null,
      phone: this.phoneOf(subject),
    };
  }

  private target(subject: Subject, userId: string, basis: LinkTarget['basis']): LinkTarget {
    return { userId, basis, profile: this.options.profile, phone: this.phoneOf(subject) };
  }

  private phoneOf({ phoneNumber, appid }: Subject): VerifiedPhone | undefined {
    const { unique: isUnique } = this.options.phone;
    return phoneNumber === undefined ? undefined : { phoneNumber, appid, isUnique };
  }
}

/** A person without a user, as the host's hooks see them. */
const signUpOf = ({ provider, appid, openid, unionid, profile, phoneNumber }: Subject): SignUp => ({
  provider,
  appid,
  openid,
  unionid,
  nickname: profile?.nickname ?? null,
  avatarUrl: profile?.avatarUrl ?? null,
  phoneNumber: phoneNumber ?? null,
});

/** A subject, and who held it before. */
interface KnownSubject {
  readonly subject: Subject;
  readonly holder: SubjectMatch;
}

/** Adds to a user what was not known of the subject; the audit log says so. */
async function join(
  executor: SqlExecutor,
  { subject, holder }: KnownSubject,
  target: LinkTarget,
  { record }: ResolveOptions,
): Promise<Resolution> {
  const { userId } = target;
  const isNew = holder.identity_user_id === null;
  const action = isNew ? 'identity.linked' : 'identity.unionid_learned';
  const isNews = isNew || (subject.unionid !== null && !holder.identity_has_union);
  const { isRecorded } = await linkSubject(executor, subject, target, {
    record: record({ openid: subject.openid, isNewUser: false, toBind: null }),
    more: isNews ? [auditOf({ action, userId, ...aboutSubject(subject) }, { isNew })] : [],
  });
  return { kind: 'user', userId, isNewUser: false, isRecorded };
}

/** For `linkSubject`: an audit entry about an identity that no user had before, or that its user had. */
const auditOf = (entry: AuditEntry, { isNew }: { readonly isNew: boolean }): Sql =>
  sql`joined AS (${insertAudit(entry, { from: sql`new_identity WHERE new_identity.is_new = ${isNew}::boolean` })})`;

function aboutSubject({
  provider,
  appid,
  openid,
  unionid,
  consent,
}: Subject): Pick<AuditEntry, 'provider' | 'detail'> {
  return { provider, detail: { appid, openid, unionid, ...(consent !== undefined && { consent }) } };
}

function lostEveryRace(cause: unknown): IamError {
  return new IamError('database_unavailable', `lost ${RACES} races`, { cause, retryAfterSeconds: 1 });
}
