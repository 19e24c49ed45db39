import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import type { AuditEntry } from '../audit/record-audit.js';
import { sha256 } from '../crypto/hash.js';
import { isForeignKeyViolation, violatedConstraint } from '../database/database-errors.js';
import { execute, queryRow, queryRows, type SqlExecutor } from '../database/sql.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Subject } from '../users/subject.js';
import type { Resolution } from '../users/users.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { provenPerson } from '../sign-in/login-start.js';
import { Scenes } from '../webhook/inbox-event.js';
import { UserCodes } from './user-codes.js';
import { confirmationOf, followLoginRow, type Confirmation, type FollowLogin } from './follow-login.js';
import {
  authenticateFollowSql,
  changedFollowsSql,
  consumeFollowSql,
  failFollowSql,
  followsSql,
  startFollowSql,
} from './follow-statements.js';

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
