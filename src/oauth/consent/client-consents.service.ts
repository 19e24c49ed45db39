import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { insertAudit, recordAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { isForeignKeyViolation } from '../../database/database-errors.js';
import { defineTable, key, now, text, uuid } from '../../database/define-table.js';
import { rowTime } from '../../database/list.js';
import { execute, hasRow, queryRow, queryRows, raw, sql, type Sql } from '../../database/sql.js';
import { IamError, toErrorCode, type IamErrorCode } from '../../errors/iam.error.js';
import { Telemetry } from '../../runtime/telemetry.service.js';
import { consentedSql } from '../../sessions/session-statements.js';
import { Sessions } from '../../sessions/sessions.service.js';
import { UserSessions, type ActingSession } from '../../sessions/user-sessions.service.js';
import { CODE_SECONDS } from '../../sign-in/login.js';
import { THINK_SECONDS } from '../../sign-in/page-cookies.service.js';
import { OnUserMerge, type UserMergeListener } from '../../users/user-merges.service.js';

const texts = { ...text, array: true, default: () => "'{}'" };

/** `iam.consents`: what a person lets an application of a third party have. It goes with either. */
export const ConsentEntity = defineTable('consents', {
  columns: {
    user_id: key(uuid),
    client_id: key(text),
    scopes: texts,
    /** The resources for which it may get access tokens. */
    resources: texts,
    created_at: now,
    /** When the last scope was added. */
    updated_at: now,
  },
  indexes: { consents_client_id_idx: ['client_id'] },
  references: {
    consents_user_id_fkey: { table: 'users', columns: { user_id: 'id' } },
    consents_client_id_fkey: { table: 'clients', columns: { client_id: 'id' }, onDelete: 'CASCADE' },
  },
});

/** What a login asks its person to agree to. */
const askedLogin = z.object({
  status: z.string(),
  error: z.string().nullable(),
  is_live: z.boolean(),
  /** Null for a person without a user. */
  user_status: z.string().nullable(),
  nickname: z.string().nullable(),
  scope: z.string().nullable(),
  resources: z.array(z.string()).nullable(),
  /** The person has agreed to all of it. */
  is_covered: z.boolean(),
});

/** See `askedLogin`. */
export type AskedConsent = z.infer<typeof askedLogin>;

/** A login of a third party's application. */
interface ClientLogin {
  readonly loginId: string;
  readonly clientId: string;
}

/** The login `l`, unless it began at an earlier application with the same id, which the page of the question named. */
const ofClientSql = ({ loginId, clientId }: ClientLogin): Sql => sql`
  l.id = ${loginId} AND l.client_id = ${clientId}
  AND l.created_at >= (SELECT a.created_at FROM iam.clients a WHERE a.id = l.client_id)`;

const askedSql = (login: ClientLogin): Sql => sql`
  SELECT l.status, l.error, COALESCE(l.redeem_before > now(), false) AS is_live, u.status AS user_status, u.nickname, l.scope,
         l.resources, ${consentedSql('l')} AS is_covered
  FROM iam.logins l LEFT JOIN iam.users u ON u.id = l.user_id WHERE ${ofClientSql(login)}`;

/** What came before a person says no. */
interface Decline {
  /** They have said yes: a code that is on its way stays good, unless they have withdrawn since. */
  readonly isAgreed: boolean;
}

/** Lets the login wait while the person reads. */
const holdSql = (login: ClientLogin, asksAgain: boolean): Sql => sql`
  WITH login AS (${askedSql(login)}), held AS (
    UPDATE iam.logins l SET redeem_before = GREATEST(l.redeem_before, now() + make_interval(secs => ${THINK_SECONDS}::int))
    FROM login WHERE l.id = ${login.loginId} AND l.status = 'authenticated' AND l.redeem_before > now()
      AND (${asksAgain}::boolean OR NOT login.is_covered)
  ) SELECT * FROM login`;

const union = (column: string): Sql =>
  raw(`ARRAY(SELECT DISTINCT each FROM unnest(c.${column} || EXCLUDED.${column}) each ORDER BY each)`);

const merging = sql`
  ON CONFLICT (user_id, client_id) DO UPDATE
  SET scopes = ${union('scopes')}, resources = ${union('resources')}, created_at = LEAST(c.created_at, EXCLUDED.created_at),
      updated_at = GREATEST(c.updated_at, EXCLUDED.updated_at)`;

/** The user is locked as by a redemption: a withdrawal, a ban or a merge comes before or after it; so does a refusal in another tab. */
const giveSql = (login: ClientLogin): Sql => sql`
  WITH asked AS (
    SELECT l.user_id, l.client_id, l.provider, COALESCE(l.resources, '{}') AS resources,
           ARRAY(SELECT unnest(string_to_array(COALESCE(l.scope, ''), ' ')) ORDER BY 1) AS scopes
    FROM iam.logins l JOIN iam.users u ON u.id = l.user_id
    WHERE ${ofClientSql(login)} AND l.status = 'authenticated' AND l.redeem_before > now() AND u.status = 'active'
    FOR SHARE OF u FOR NO KEY UPDATE OF l
  ), given AS (
    INSERT INTO iam.consents AS c (user_id, client_id, scopes, resources)
    SELECT user_id, client_id, scopes, resources FROM asked ${merging}
    RETURNING c.user_id
  ), held AS (
    UPDATE iam.logins l SET redeem_before = now() + make_interval(secs => ${CODE_SECONDS}::int)
    FROM given WHERE l.id = ${login.loginId} AND l.status = 'authenticated'
  ), audited AS (
    ${insertAudit(
      { action: 'consent.given' },
      {
        from: sql`asked, given`,
        userId: sql`asked.user_id`,
        clientId: sql`asked.client_id`,
        provider: sql`asked.provider`,
        detail: sql`jsonb_build_object('scopes', asked.scopes, 'resources', asked.resources)`,
      },
    )}
  )
  SELECT 1 FROM given`;

const declineSql = (login: ClientLogin, { isAgreed }: Decline): Sql => sql`
  WITH login AS (
    UPDATE iam.logins l SET status = 'denied', error = 'access_denied'
    WHERE ${ofClientSql(login)} AND l.status = 'authenticated' AND NOT (${isAgreed}::boolean AND ${consentedSql('l')})
    RETURNING l.user_id, l.client_id, l.provider, l.method, l.scope, l.resources
  ), audited AS (
    ${insertAudit(
      { action: 'consent.declined' },
      {
        from: sql`login`,
        userId: sql`login.user_id`,
        clientId: sql`login.client_id`,
        provider: sql`login.provider`,
        detail: sql`jsonb_build_object('scopes', string_to_array(COALESCE(login.scope, ''), ' '), 'resources', COALESCE(login.resources, '{}'))`,
      },
    )}
  )
  SELECT provider, method FROM login`;

const declinedRow = z.object({ provider: z.string(), method: z.string() });

/** An application that a person has let in. */
export const givenConsent = z.object({
  client_id: z.string(),
  name: z.string(),
  logo_uri: z.string().nullable(),
  client_uri: z.string().nullable(),
  scopes: z.array(z.string()),
  resources: z.array(z.string()),
  created_at: rowTime,
  updated_at: rowTime.describe('When the person last agreed to more'),
});

const listSql = (userId: string): Sql => sql`
  SELECT c.client_id, a.name, a.logo_uri, a.client_uri, c.scopes, c.resources, c.created_at, c.updated_at
  FROM iam.consents c JOIN iam.clients a ON a.id = c.client_id WHERE c.user_id = ${userId} ORDER BY a.name, c.client_id`;

const withdrawnRow = z.object({ scopes: z.array(z.string()) });

const withdrawSql = (userId: string, clientId: string): Sql => sql`
  WITH withdrawn AS (
    DELETE FROM iam.consents WHERE user_id = ${userId} AND client_id = ${clientId} RETURNING scopes
  ) SELECT scopes FROM withdrawn`;

/** What people let applications of third parties have: asked once for each scope, and withdrawn as easily. */
@Injectable()
@OnUserMerge(4)
export class ClientConsents implements UserMergeListener {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly userSessions: UserSessions,
    private readonly sessions: Sessions,
    private readonly telemetry: Telemetry,
  ) {}

  /** What a login asks for; null: it is gone. */
  find(login: ClientLogin): Promise<AskedConsent | null> {
    return queryRow(this.dataSource, askedLogin, askedSql(login));
  }

  /** As `find`, and keeps the login redeemable while the person reads, where they have to. */
  hold(login: ClientLogin, { asksAgain }: { readonly asksAgain: boolean }): Promise<AskedConsent | null> {
    return queryRow(this.dataSource, askedLogin, holdSql(login, asksAgain));
  }

  /**
   * The person of a login agrees to all that it asks for. False: it can be redeemed no longer.
   * @throws IamError `client_unknown` for an application that was deleted meanwhile
   */
  async give(login: ClientLogin): Promise<boolean> {
    return hasRow(this.dataSource, giveSql(login)).catch((cause: unknown) => {
      if (isForeignKeyViolation(cause))
        throw new IamError('client_unknown', `client "${login.clientId}" is gone`, { cause });
      throw cause;
    });
  }

  /** Ends a login whose person does not agree. */
  async decline(login: ClientLogin, before: Decline): Promise<void> {
    const declined = await queryRow(this.dataSource, declinedRow, declineSql(login, before));
    if (declined !== null) this.telemetry.signInEnded(declined, 'access_denied');
  }

  /** By name. */
  list(userId: string): Promise<z.infer<typeof givenConsent>[]> {
    return queryRows(this.dataSource, givenConsent, listSql(userId));
  }

  /** The application gets nothing more, and the person's sessions there end. @throws IamError `not_found`, `invalid_token` */
  async withdraw(acting: ActingSession, clientId: string): Promise<void> {
    await this.userSessions.act(acting, (manager) => this.withdrawIn(manager, acting, clientId));
  }

  /** As `withdraw`, in a transaction that has locked the user; an administrator does it in no session of theirs. */
  async withdrawIn(
    manager: EntityManager,
    { userId, sessionId }: { readonly userId: string; readonly sessionId: string | null },
    clientId: string,
  ): Promise<void> {
    const withdrawn = await queryRow(manager, withdrawnRow, withdrawSql(userId, clientId));
    if (withdrawn === null) throw new IamError('not_found', 'no consent to such an application');
    const ofClient = sql`s.user_id = ${userId} AND s.client_id = ${clientId}`;
    const ended = await this.sessions.endWhere(manager, ofClient, {
      reason: 'consent_withdrawn',
      browsers: sql`false`,
      sessionId,
    });
    const detail = { scopes: withdrawn.scopes, sessions: ended };
    await recordAudit(manager, { action: 'consent.withdrawn', userId, sessionId, clientId, detail });
  }

  /** Deletes every consent of a user to whom a WeChat is bound: a former holder of the account may have given them. */
  async withdrawAll(manager: EntityManager, userId: string): Promise<void> {
    const withdraw = sql`
      WITH withdrawn AS (DELETE FROM iam.consents WHERE user_id = ${userId} RETURNING user_id, client_id, scopes)
      ${insertAudit(
        { action: 'consent.withdrawn', detail: { reason: 'identity_bound' } },
        {
          from: sql`withdrawn`,
          userId: sql`withdrawn.user_id`,
          clientId: sql`withdrawn.client_id`,
          detail: sql`jsonb_build_object('scopes', withdrawn.scopes)`,
        },
      )}`;
    await execute(manager, withdraw);
  }

  /** What one of two users agreed to, the person did. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    const move = sql`
      INSERT INTO iam.consents AS c (user_id, client_id, scopes, resources, created_at, updated_at)
      SELECT ${toUserId}::uuid, client_id, scopes, resources, created_at, updated_at FROM iam.consents WHERE user_id = ${fromUserId}
      ${merging}`;
    await execute(manager, move);
    await execute(manager, sql`DELETE FROM iam.consents WHERE user_id = ${fromUserId}`);
  }
}

/** Why the consent page of a login is over; null while it is open, and after the code was redeemed. */
export function consentErrorOf(login: AskedConsent | null): IamErrorCode | null {
  if (login === null) return 'state_expired';
  if (login.status === 'denied' || login.status === 'failed') return toErrorCode(login.error);
  if (login.user_status === null) return 'sign_up_refused';
  if (login.user_status !== 'active') return 'user_disabled';
  if (login.status !== 'consumed' && !login.is_live) return 'state_expired';
  return null;
}
