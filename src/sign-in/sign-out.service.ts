import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import {
  afterTransaction,
  execute,
  hasRow,
  inTransaction,
  queryRow,
  queryRows,
  sql,
  type Sql,
  type SqlExecutor,
} from '../database/sql.js';
import { ApiKeys } from '../sessions/api-keys/api-keys.service.js';
import {
  endBrowsersCtes,
  endSessionsSql,
  loginProvenAtSql,
  sessionProvenAtSql,
} from '../sessions/session-statements.js';
import { Sessions, type IdentityEnd } from '../sessions/sessions.service.js';
import { forgetPhoneNumber } from '../users/change-user.js';
import {
  hasPhoneOfAnother,
  type IdentityKey,
  markWithdrawn,
  removeIdentity,
  type Withdrawal,
} from '../users/identity-data.js';
import { lockExisting } from '../users/lock-users.js';

const interrupted = sql`status = 'failed', error = 'login_interrupted', redeem_before = now(), subject = NULL`;

/** Ends what was proven and not yet redeemed. By the user: all logins that were ever `authenticated` would be many. */
const endOfUserSql = (userId: string): Sql => sql`
  WITH own AS MATERIALIZED (SELECT id, status FROM iam.logins WHERE user_id = ${userId} FOR UPDATE)
  UPDATE iam.logins l SET ${interrupted} FROM own WHERE l.id = own.id AND own.status = 'authenticated'`;

/** The logins that `logins_openid_idx` holds: those of a known user are found by them. */
const hasOpenidIndex = sql`(l.user_id IS NULL OR l.link_session_id IS NOT NULL)`;

/**
 * Ends every open login of a person to one app, whose proof goes; with a time, only what WeChat proved before it. The identity
 * is there still: its user, and those merged into them, have the logins that the openid's index does not hold.
 */
const endOfIdentitySql = ({ appid, openid }: IdentityKey, provenBefore: Date | null): Sql => {
  const isOpen = sql`l.appid = ${appid} AND l.openid = ${openid} AND l.status IN ('pending', 'scanned', 'confirmed', 'authenticated', 'binding')
      AND (${provenBefore}::timestamptz IS NULL OR ${loginProvenAtSql('l')} < ${eventHorizonSql(provenBefore)})`;
  return sql`
  WITH owner AS (SELECT user_id AS id FROM iam.identities WHERE appid = ${appid} AND openid = ${openid}),
  person AS (SELECT id FROM owner UNION SELECT u.id FROM owner JOIN iam.users u ON u.merged_into = owner.id),
  open AS (
    SELECT l.id FROM iam.logins l WHERE ${hasOpenidIndex} AND ${isOpen}
    UNION SELECT l.id FROM person JOIN iam.logins l ON l.user_id = person.id WHERE ${isOpen}
  )
  UPDATE iam.logins l SET ${interrupted} FROM open WHERE l.id = open.id AND ${isOpen}`;
};

/** Of a person to one app, as far as WeChat proved it before. A sign-in with a user keeps no subject. */
const forgetInLoginsSql = ({ appid, openid }: IdentityKey, provenBefore: Date, rest: Sql): Sql => sql`
  UPDATE iam.logins l SET subject = ${rest}
  WHERE l.appid = ${appid} AND l.openid = ${openid} AND ${hasOpenidIndex} AND l.subject IS NOT NULL
    AND ${loginProvenAtSql('l')} < ${eventHorizonSql(provenBefore)}`;

/**
 * A row if WeChat has proved the identity since. An identity that was there before has brought sign-ins only to its user and those
 * merged into them, whose rows have an index; only a link may be of another user.
 */
const provenSinceSql = ({ userId, identity, at }: Withdrawal): Sql => {
  const { appid, openid } = identity;
  const isProven = sql`l.appid = ${appid} AND l.openid = ${openid} AND ${loginProvenAtSql('l')} >= ${eventHorizonSql(at)}
      AND l.status IN ('confirmed', 'authenticated', 'binding', 'consumed')`;
  return sql`
  WITH person AS (SELECT id FROM iam.users WHERE id = ${userId} OR merged_into = ${userId})
  SELECT 1 WHERE EXISTS (
    SELECT FROM iam.identities i WHERE i.appid = ${appid} AND i.openid = ${openid} AND i.created_at >= ${eventHorizonSql(at)}
  ) OR EXISTS (
    SELECT FROM iam.logins l WHERE ${hasOpenidIndex} AND ${isProven}
  ) OR EXISTS (
    SELECT FROM person JOIN iam.logins l ON l.user_id = person.id WHERE ${isProven}
  ) OR EXISTS (
    SELECT FROM person JOIN iam.sessions s ON s.user_id = person.id
    WHERE s.appid = ${appid} AND s.openid = ${openid} AND ${sessionProvenAtSql('s')} >= ${eventHorizonSql(at)}
  )`;
};

/** An identity that was taken from its user. */
interface UnlinkedIdentity extends IdentityKey {
  readonly provider: string;
  /** Another identity of the user has the same `unionid`, so that a sign-in with this one finds the same user again. */
  readonly rejoins: boolean;
}

/** The user's row is locked. */
const unlinkableSql = (id: string, userId: string): Sql => sql`
  SELECT i.provider, i.app_kind, i.appid, i.openid, i.unionid,
         EXISTS (SELECT 1 FROM iam.identities o WHERE o.user_id = ${userId} AND o.id <> i.id) AS has_others
  FROM iam.identities i WHERE i.id = ${id} AND i.user_id = ${userId}`;

const unlinkable = z.object({
  provider: z.string(),
  app_kind: z.string(),
  appid: z.string(),
  openid: z.string(),
  unionid: z.string().nullable(),
  has_others: z.boolean(),
});

/** In any scope, since another row of the app may have it. */
const rejoinsSql = (userId: string, unionid: string | null): Sql => sql`
  SELECT 1 FROM iam.unions WHERE user_id = ${userId} AND unionid = ${unionid} LIMIT 1`;

/** A browser session by its id, and a session with the one that it was born from. */
interface BrowserEnd {
  readonly browserId?: string | undefined;
  readonly sessionId?: string | undefined;
}

const endOfBrowserSql = (userId: string, which: BrowserEnd, reason: string): Sql => {
  const { browserId = null, sessionId = null } = which;
  const isSession = sql`s.id = ${sessionId}::uuid AND s.user_id = ${userId}`;
  const places = sql`(VALUES (${browserId}::uuid), ((SELECT s.browser_session_id FROM iam.sessions s WHERE ${isSession})))`;
  // Sessions outlive the row of the browser, which the clean-up removes once it has expired.
  const isBornThere = sql`s.user_id = ${userId} AND (${isSession} OR s.browser_session_id IN ${places})`;
  const isBrowser = sql`b.user_id = ${userId} AND b.id IN ${places}`;
  return sql`
  WITH ended AS (${endSessionsSql(isBornThere, reason)}), ${endBrowsersCtes(isBrowser, reason)} SELECT 1`;
};

/** Those that this transaction has ended, by whatever statement or trigger. */
const endedNowSql = (userId: string): Sql => sql`
  SELECT id FROM iam.sessions WHERE user_id = ${userId} AND ended_at = now()`;

const endedRow = z.object({ id: z.string() });

/** Ends access. Sessions and sign-ins under way end together: a code that stays is a session a second later. */
@Injectable()
export class SignOut {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly sessions: Sessions,
    private readonly apiKeys: ApiKeys,
  ) {}

  /**
   * As `ofUser`, and ends the API keys too: for a user who can no longer sign in, or whose account a former holder may have used. The
   * caller has locked the user.
   */
  async shutOut(manager: EntityManager, userId: string, reason: string): Promise<void> {
    await this.ofUser(manager, userId, reason);
    await this.apiKeys.endOf(manager, { userId }, { reason });
  }

  /** Ends all that is signed in as a user, whom the caller has locked, and all that is about to be. */
  async ofUser(manager: EntityManager, userId: string, reason: string): Promise<void> {
    await execute(manager, endOfUserSql(userId));
    await this.sessions.endAll(manager, userId, reason);
  }

  /**
   * Ends a browser session of a user, all sessions that were born from it, and what is about to be one. The ids of sessions that have
   * ended.
   */
  async ofBrowser(userId: string, which: BrowserEnd, reason: string): Promise<string[]> {
    return inTransaction(this.dataSource, async (manager) => {
      await lockExisting(manager, [userId]);
      await execute(manager, endOfBrowserSql(userId, which, reason));
      const sessions = (await queryRows(manager, endedRow, endedNowSql(userId))).map(({ id }) => id);
      afterTransaction(manager, () => this.sessions.noteEnded(sessions));
      if (sessions.length > 0)
        await recordAudit(manager, { action: 'session.ended', userId, detail: { reason, sessions } });
      return sessions;
    });
  }

  /**
   * Takes an identity from a user, whom the caller has locked, and what came by it, a phone number too: of the last two identities
   * only one can be taken.
   * `evenLast` is for administrators, and shuts the user out.
   * @throws IamError `not_found` or `last_identity`
   */
  async unlink(
    manager: EntityManager,
    userId: string,
    id: string,
    { evenLast = false }: { readonly evenLast?: boolean } = {},
  ): Promise<UnlinkedIdentity> {
    const row = isUuid(id) ? await queryRow(manager, unlinkable, unlinkableSql(id, userId)) : null;
    if (row === null) throw new IamError('not_found', 'no identity of this user');
    if (!row.has_others && !evenLast)
      throw new IamError('last_identity', 'nobody could sign in as this user any more');
    const { provider, app_kind: kind, appid, openid, unionid } = row;
    const identity = { appid, openid };
    const reason = 'identity_unlinked';
    await this.ofIdentity(manager, identity, { reason });
    if (kind === 'mini' && !(await hasPhoneOfAnother(manager, { userId, identity }, 'identity')))
      await forgetPhoneNumber(manager, userId, { of: { appid }, provider, detail: { appid } });
    if (await removeIdentity(manager, identity)) await this.shutOut(manager, userId, reason);
    const detail = { appid, openid, rejoins: await hasRow(manager, rejoinsSql(userId, unionid)) };
    await recordAudit(manager, { action: 'identity.unlinked', userId, provider, detail });
    return { provider, ...detail };
  }

  /**
   * The caller has locked the user. With `provenBefore`, what WeChat proved since stays, and a sign-in whose code is being
   * exchanged meanwhile begins no session either.
   */
  async ofIdentity(manager: EntityManager, identity: IdentityKey, end: IdentityEnd): Promise<void> {
    if (end.provenBefore != null) await markWithdrawn(manager, identity, end.provenBefore);
    await this.ofLogins(manager, identity, end.provenBefore);
    await this.sessions.endOfIdentity(manager, identity, end);
  }

  /** Ends the open sign-ins of a person to one app, binding tokens too, and forgets what WeChat proved in them. */
  async ofLogins(
    executor: SqlExecutor,
    identity: IdentityKey,
    provenBefore: Date | null = null,
  ): Promise<void> {
    await execute(executor, endOfIdentitySql(identity, provenBefore));
  }

  /** Forgets the profile of a person to one app that waits to be connected to an account; see `forgetProfile`. */
  async forgetProfileInLogins(executor: SqlExecutor, identity: IdentityKey, at: Date): Promise<void> {
    await execute(executor, forgetInLoginsSql(identity, at, sql`jsonb_set(l.subject, '{profile}', 'null')`));
  }

  /** As `forgetProfileInLogins`, of the phone number. */
  async forgetPhoneInLogins(executor: SqlExecutor, identity: IdentityKey, at: Date): Promise<void> {
    await execute(executor, forgetInLoginsSql(identity, at, sql`l.subject - 'phoneNumber'`));
  }

  /** Whether WeChat has proved the identity of a user, whom the caller has locked, after an event of this time. */
  async isProvenSince(manager: EntityManager, withdrawal: Withdrawal): Promise<boolean> {
    return hasRow(manager, provenSinceSql(withdrawal));
  }
}
