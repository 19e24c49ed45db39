import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { type AuditEntry, insertAudit, refusalCtes } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { sha256 } from '../crypto/hash.js';
import { isForeignKeyViolation, violatedConstraint } from '../database/database-errors.js';
import { execute, queryRow, queryRows, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import { nowForEventsSql } from '../database/sql-fragments.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { type ProvenPerson, provenPerson } from '../sign-in/login-start.js';
import type { LinkedLogin } from '../sign-in/login-statements.js';
import type { Subject } from '../users/subject.js';
import type { Resolution } from '../users/users.service.js';
import { Scenes } from '../webhook/inbox-event.js';
import { UserCodes } from './codes-and-tokens.service.js';
import {
  confirmationOf,
  followLoginRow,
  type Confirmation,
  type FollowLogin,
  followProblemSql,
} from './follow-login.js';

/** A device authorization to store. */
export interface NewFollow {
  readonly loginId: string;
  readonly sceneHash: string;
  readonly userCode: string;
  /** Only of a device authorization whose code may be typed. */
  readonly userCodeHash: string | null;
  readonly provider: string;
  readonly appid: string;
  readonly clientId: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  /** Life of the QR code in seconds. */
  readonly seconds: number;
  readonly confirmation: string;
  /** Hash of the attempt's state. */
  readonly attemptHash?: string;
  /** Seconds until the attempt ends; none for one without a page. */
  readonly attemptSeconds?: number;
  readonly link?: ActingSession | undefined;
  readonly origin: RequestOrigin;
}

/** Stores a device authorization. */
export const startFollowSql = (start: NewFollow): Sql => sql`
  INSERT INTO iam.logins (id, scene_hash, user_code, status, provider, method, appid, client_id, redirect_uri, code_challenge,
                          redeem_before, ip, user_agent, expires_at, confirmation, user_id, link_session_id, attempt_hash, attempt_ends_at, user_code_hash)
  VALUES (${start.loginId}, ${start.sceneHash}, ${start.userCode}, 'pending', ${start.provider}, 'follow', ${start.appid},
          ${start.clientId}, ${start.redirectUri ?? null}, ${start.codeChallenge ?? null},
          now() + make_interval(secs => ${start.seconds}::int), ${start.origin.ip}, ${start.origin.userAgent},
          now() + interval '1 day', ${start.confirmation}, ${start.link?.userId ?? null}, ${start.link?.sessionId ?? null},
          ${start.attemptHash ?? null}, now() + make_interval(secs => ${start.attemptSeconds ?? null}::int), ${start.userCodeHash})
  RETURNING id`;

/** What the phone shows and the browser waits for; `ids` may be an expression. Where the row can finish no scan any more, the login has failed, as long as that is so. */
export const followsSql = (ids: readonly string[] | Sql): Sql => sql`
  SELECT id, CASE WHEN problem IS NULL THEN status ELSE 'failed' END AS status, COALESCE(problem, error) AS error, provider, appid,
         openid, client_id, redirect_uri, code_challenge, attempt_hash, user_id, link_session_id, linked_identity_id, user_code, user_code_hash,
         confirmation, number_tries, ip, user_agent, created_at, COALESCE(redeem_before > now(), false) AS is_live
  FROM iam.logins l CROSS JOIN LATERAL (SELECT ${followProblemSql('l')} AS problem) AS offer
  WHERE id = ANY (${ids}::uuid[]) AND scene_hash IS NOT NULL`;

/** As `followsSql`, without those that wait as before: ten thousand of them are not worth their bytes every second. */
export const changedFollowsSql = (ids: readonly string[], waiting: readonly string[]): Sql => sql`
  ${followsSql(ids)}
    AND NOT (id = ANY (${waiting}::uuid[]) AND status = 'pending' AND problem IS NULL AND COALESCE(redeem_before > now(), false))`;

/** Ends a login that got no QR code, or whose follower may not sign in. */
export const failFollowSql = (loginId: string, error: string, refusal: AuditEntry): Sql => sql`
  WITH failed AS (
    UPDATE iam.logins SET status = 'failed', error = ${error} WHERE id = ${loginId} AND status IN ('pending', 'confirmed') RETURNING id
  ), ${refusalCtes(refusal, sql`failed`)} SELECT id FROM failed`;

/** Stores whom the follower is; the code lives for so many seconds. */
export const authenticateFollowSql = (
  loginId: string,
  person: ProvenPerson,
  codeSeconds: number,
  entry: AuditEntry,
): Sql => sql`
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = ${person.userId}, is_new_user = ${person.isNewUser}, subject = ${person.subject},
        redeem_before = now() + make_interval(secs => ${codeSeconds}::int)
    WHERE id = ${loginId} AND status = 'confirmed' AND link_session_id IS NULL
    RETURNING user_id, appid, openid
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql}
    FROM login WHERE i.appid = login.appid AND i.openid = login.openid AND i.follows IS NULL
  )
  ${insertAudit(entry, { from: sql`login`, userId: sql`login.user_id` })}`;

/** A scan by which a signed-in user has linked an identity. No row: the scan is another's, was for another purpose, or is over. */
export const linkedFollowSql = ({
  loginId,
  userId,
  openid,
  identityId,
  sessionId,
  appid,
}: LinkedLogin): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', linked_identity_id = ${identityId}
    WHERE id = ${loginId} AND user_id = ${userId} AND openid = ${openid} AND link_session_id = ${sessionId} AND appid = ${appid}
      AND status = 'confirmed' AND redeem_before > now()
    RETURNING id
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql} FROM login WHERE i.id = ${identityId} AND i.follows IS NULL
  ) SELECT id FROM login`;

/** The Open Platform step that follows a confirmed scan takes it with it. */
export const consumeFollowSql = (loginId: string): Sql => sql`
  WITH consumed AS (
    UPDATE iam.logins SET status = 'consumed' WHERE id = ${loginId} AND status = 'confirmed' AND redeem_before > now() RETURNING id
  ) SELECT id FROM consumed`;

/** Longest life of a QR code, in seconds. */
export const QR_SECONDS = 300;

const CODE_SECONDS = 60;

/** Who asks for a QR code. */
export interface FollowStart {
  readonly provider: IdentityProvider;
  readonly appid: string;
  readonly clientId: string;
  /** Of the sign-in page, which ends in a code; absent for a client that polls for tokens. */
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  /** Hash of the state of the page's attempt, which its browser alone carries. */
  readonly attemptHash?: string;
  /** Seconds until that attempt ends. */
  readonly attemptSeconds?: number;
  /** Who links an identity by it, instead of signing in. */
  readonly link?: ActingSession | undefined;
  readonly origin: RequestOrigin;
}

/** A stored attempt, which waits for the scan of its scene. */
export interface StartedFollow {
  readonly loginId: string;
  readonly scene: string;
  readonly userCode: string;
  /** The code of RFC 8628; null for a login of our own page, which nobody types one for. */
  readonly typedCode: string | null;
  readonly userCodeHash: string | null;
  readonly confirmation: Confirmation;
  /** Life of the QR code: no longer than that of the attempt whose page shows it. */
  readonly seconds: number;
}

/** A login that ends without success; with `link`, the link is what is refused. */
export interface FailedFollow extends Pick<FollowLogin, 'id' | 'provider' | 'client_id'> {
  readonly link?: ActingSession | undefined;
}

const idRow = z.object({ id: z.string() });

/** Device authorizations (RFC 8628) whose user code is an Official Account's QR code. */
@Injectable()
export class FollowLogins {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly scenes: Scenes,
    private readonly userCodes: UserCodes,
  ) {}

  /**
   * Stores the attempt, before WeChat is asked for its QR code, so that no scan can come too early.
   * @throws IamError `invalid_token` when the user who links has been erased since
   */
  async start(start: FollowStart): Promise<StartedFollow> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.insert(start, uuidv7());
      } catch (error) {
        if (violatedConstraint(error) !== 'logins_user_code_hash_key' || tries === 3) throw error;
      }
    }
  }

  private async insert(start: FollowStart, loginId: string): Promise<StartedFollow> {
    const scene = this.scenes.create();
    const seconds = Math.min(QR_SECONDS, start.attemptSeconds ?? QR_SECONDS);
    const userCode = String(randomInt(10_000)).padStart(4, '0');
    const confirmation = confirmationOf(start.provider, start.link);
    const provider = start.provider.slug;
    const isTyped = start.redirectUri === undefined && start.link === undefined;
    const typed = isTyped ? this.userCodes.create(loginId) : null;
    const started = { loginId, userCode, userCodeHash: typed?.hash ?? null, seconds, confirmation };
    const row = { ...start, ...started, provider, sceneHash: sha256(scene) };
    await execute(this.dataSource, startFollowSql(row)).catch((cause: unknown) => refuseErased(start, cause));
    return { ...started, scene, typedCode: typed?.code ?? null };
  }

  /** Ends a login for good: WeChat gave no QR code, or the follower may not sign in or be linked. */
  async fail(login: FailedFollow, error: IamErrorCode): Promise<void> {
    const { id, provider, client_id: clientId, link } = login;
    const action = link === undefined ? 'login.failed' : 'identity.link_refused';
    const entry: AuditEntry = { ...link, action, provider, clientId, detail: { method: 'follow', error } };
    await execute(this.dataSource, failFollowSql(id, error, entry));
    if (link === undefined) this.telemetry.signInFailed({ provider, method: 'follow' }, error);
  }

  /** The logins with these ids, as they stand; one round trip however many. */
  findAll(loginIds: readonly string[]): Promise<FollowLogin[]> {
    return queryRows(this.dataSource, followLoginRow, followsSql(loginIds));
  }

  /** As `findAll`, leaving out those of `waiting` that are still pending and alive. */
  findChanged(loginIds: readonly string[], waiting: readonly string[]): Promise<FollowLogin[]> {
    return queryRows(this.dataSource, followLoginRow, changedFollowsSql(loginIds, waiting));
  }

  /** The login with this id. */
  async find(loginId: string): Promise<FollowLogin | null> {
    const [login] = await this.findAll([loginId]);
    return login ?? null;
  }

  /** Stores whom the follower is; as `Logins.authenticate` for a redirect sign-in. */
  async authenticate(
    executor: SqlExecutor,
    login: FollowLogin,
    proof: { readonly subject: Subject; readonly resolution: Resolution },
  ): Promise<void> {
    const { subject, resolution } = proof;
    const person = provenPerson(subject, resolution);
    const entry: AuditEntry = {
      action: person.isNewUser ? 'user.signed_up' : 'login.authenticated',
      clientId: login.client_id,
      provider: login.provider,
      detail: { method: 'follow', appid: login.appid },
    };
    await execute(executor, authenticateFollowSql(login.id, person, CODE_SECONDS, entry));
  }

  /** Stores that a signed-in user has linked the scanner's identity; false when the scan is another's, was for another purpose, or is over. */
  async recordLink(manager: EntityManager, linked: LinkedLogin): Promise<boolean> {
    return (await queryRow(manager, idRow, linkedFollowSql(linked))) !== null;
  }

  /** Takes a confirmed login as the proof of a follow, once. */
  async consume(loginId: string): Promise<boolean> {
    return (await queryRow(this.dataSource, idRow, consumeFollowSql(loginId))) !== null;
  }
}

/** A link is the only start that names a user. */
function refuseErased({ link }: FollowStart, cause: unknown): never {
  if (link === undefined || !isForeignKeyViolation(cause)) throw cause;
  throw new IamError('invalid_token', `the user of session ${link.sessionId} is erased`, { cause });
}
