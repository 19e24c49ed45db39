import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordRefusal } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Mac } from '../crypto/key-ring.js';
import { sql, type Sql, execute, hasRow, queryRow } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import type { LinkedIdentity } from '../users/link-subject.js';
import { subjectSchema, type Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { CrossDeviceSessions } from './cross-device-sessions.service.js';
import { type LinkedLogin, mintLoginToken, readLoginToken } from './login.js';

/** The sender of a binding token; what is undefined is not checked. */
interface BindingBearer {
  readonly clientId?: string | undefined;
  /** Whether the browser carries the attempt with this hash. */
  readonly holdsAttempt?: ((hash: string) => boolean) | undefined;
}

const BINDING_SECONDS = 600;
const RESUME_SECONDS = 60;

const bound = z.object({
  subject: subjectSchema,
  client_id: z.string(),
  /** Null where no browser of ours signed in: the code of an app, and a client that polls for tokens. */
  attempt_hash: z.string().nullable(),
});

/** Starts the life, in seconds, of a binding token. A scan without a confirmation connects no accounts. */
const startBindingSql = (loginId: string, seconds: number): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'binding', redeem_before = now() + make_interval(secs => ${seconds}::int)
    WHERE id = ${loginId} AND status = 'authenticated' AND user_id IS NULL AND redeem_before > now()
      AND confirmation IS DISTINCT FROM 'none'
    RETURNING id
  ) SELECT id FROM login`;

/** By a row that is enabled. What WeChat proved stays no longer than it is needed. */
const bindSql = (loginId: string, userId: string): Sql => sql`
  WITH proven AS (
    SELECT l.id, l.subject, l.client_id, COALESCE(l.state_hash, l.attempt_hash) AS attempt_hash
    FROM iam.logins l JOIN iam.identity_providers p ON p.slug = l.provider AND p.enabled
    WHERE l.id = ${loginId} AND l.status = 'binding' AND l.redeem_before > now() FOR UPDATE OF l
  ), login AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = ${userId}, subject = NULL FROM proven WHERE l.id = proven.id
  ) SELECT subject, client_id, attempt_hash FROM proven`;

/** The sign-in behind the binding can be redeemed for so many seconds, by its client alone and once. */
const resumeSql = (loginId: string | null, userId: string, seconds: number): Sql => sql`
  UPDATE iam.logins SET status = 'authenticated', redeem_before = now() + make_interval(secs => ${seconds}::int)
  WHERE id = ${loginId} AND user_id = ${userId} AND status = 'consumed'`;

/** Sign-ins of people whom WeChat has proved and who have yet to be connected to an account of the host. */
@Injectable()
export class Bindings {
  private readonly tokens: Mac;

  constructor(
    @Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.tokens = new Mac(keyRing, 'binding-token');
  }

  /** @throws IamError `binding_required` with a `binding_token`, or `invalid_grant` */
  async require(loginId: string): Promise<never> {
    if (!(await hasRow(this.dataSource, startBindingSql(loginId, BINDING_SECONDS))))
      throw new IamError('invalid_grant', 'another request redeemed the code first');
    throw new IamError('binding_required', 'this person has yet to be connected to an account of the host', {
      members: { binding_token: mintLoginToken(this.tokens, loginId), expires_in: BINDING_SECONDS },
    });
  }

  /**
   * Redeems a binding token in the transaction that links its subject to a user; a refusal leaves the token good.
   * @throws IamError `binding_token_invalid`
   */
  async redeem(
    manager: EntityManager,
    bindingToken: string,
    userId: string,
    bearer: BindingBearer,
  ): Promise<Subject> {
    const loginId = readLoginToken(this.tokens, bindingToken);
    if (loginId === null) throw new IamError('binding_token_invalid', 'not a binding token of ours');
    const row = await queryRow(manager, bound, bindSql(loginId, userId));
    if (row === null)
      throw new IamError(
        'binding_token_invalid',
        'the binding token was used or has expired, or its row is disabled',
      );
    checkBearer(row, bearer);
    return row.subject;
  }

  /**
   * Continues the sign-in behind a binding token that this transaction has redeemed: its client repeats the token
   * request that got `binding_required`, with the same proof (PKCE or `device_code`), and gets tokens once.
   */
  async resume(manager: EntityManager, bindingToken: string, userId: string): Promise<void> {
    const loginId = readLoginToken(this.tokens, bindingToken);
    await execute(manager, resumeSql(loginId, userId, RESUME_SECONDS));
  }
}

/**
 * A binding token is good for the client that got it, and for the browser that signed in, where there was one: otherwise a
 * link could lead people to put another person's WeChat into their account.
 */
function checkBearer(row: z.infer<typeof bound>, { clientId, holdsAttempt }: BindingBearer): void {
  if (clientId !== undefined && clientId !== row.client_id)
    throw new IamError('binding_token_invalid', 'the binding token belongs to another client');
  if (row.attempt_hash !== null && holdsAttempt?.(row.attempt_hash) === false)
    throw new IamError('binding_token_invalid', 'another browser signed in');
}

/** What WeChat has just proved in an attempt to link, and the session that links. */
interface ProvenLink {
  readonly subject: Subject;
  readonly link: ActingSession;
  readonly clientId: string;
}

/** Writes the link into the row of its login; false when that login was ended meanwhile. */
type RecordLink = (manager: EntityManager, linked: Omit<LinkedLogin, 'loginId'>) => Promise<boolean>;

/** A `binding_token` that a signed-in user sends. */
interface BindingLink {
  readonly bindingToken: string;
  readonly link: ActingSession;
  readonly clientId: string;
  readonly holdsAttempt: (hash: string) => boolean;
}

/**
 * Links another WeChat identity to a signed-in user, whichever way it was proven. In one transaction: the session that
 * links still lives and may link, its user is active and locked, no other user has the identity. Nothing outlives the proof
 * that another upstream account could use.
 */
@Injectable()
export class IdentityLinks {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: Users,
    private readonly sessions: UserSessions,
    private readonly bindings: Bindings,
    private readonly crossDevice: CrossDeviceSessions,
  ) {}

  /**
   * Links what a login has proved; an error of it ends the login. A login that was ended meanwhile takes the link with it.
   * @throws IamError `invalid_token`, `user_disabled`, `insufficient_permissions`, `identity_conflict` or `login_interrupted`
   */
  async finish({ subject, link, clientId }: ProvenLink, record: RecordLink): Promise<LinkedIdentity> {
    return this.sessions.act(link, async (manager, method) => {
      await this.crossDevice.requireForLink({ id: link.userId, method }, manager);
      const by = { sessionId: link.sessionId, clientId };
      const linked = await this.users.link(manager, subject, link.userId, by);
      const { appid, openid } = subject;
      if (!(await record(manager, { ...link, appid, openid, identityId: linked.id })))
        throw new IamError('login_interrupted', 'the attempt was ended meanwhile');
      return linked;
    });
  }

  /**
   * Links the identity behind a binding token, which is bound to it, to client and browser, and works once.
   * @throws IamError `binding_token_invalid`, `invalid_token`, `user_disabled`, `insufficient_permissions` or `identity_conflict`
   */
  async redeem({ bindingToken, link, ...bearer }: BindingLink): Promise<LinkedIdentity> {
    const by = { sessionId: link.sessionId, clientId: bearer.clientId };
    try {
      return await this.sessions.act(link, async (manager, method) => {
        await this.crossDevice.requireForLink({ id: link.userId, method }, manager);
        const subject = await this.bindings.redeem(manager, bindingToken, link.userId, bearer);
        return this.users.link(manager, subject, link.userId, by);
      });
    } catch (error) {
      if (error instanceof IamError) await this.refused(error, link, by);
      throw error;
    }
  }

  private async refused(
    { code: error }: IamError,
    { userId }: ActingSession,
    by: { readonly sessionId: string; readonly clientId: string },
  ): Promise<void> {
    const detail = { method: 'binding_token', error };
    await recordRefusal(this.dataSource, { ...by, action: 'identity.link_refused', userId, detail });
  }
}
