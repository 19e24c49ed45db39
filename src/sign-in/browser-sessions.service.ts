import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Sealer } from '../crypto/sealer.js';
import { hasRow, queryRow, sql, type Sql } from '../database/sql.js';
import type { IamRequest } from '../http/iam-request.js';
import { cookieName, setCookie } from '../http/iam-response.js';
import { consentedSql, loginProvenAtSql } from '../sessions/session-statements.js';
import { type Consent, consentSchema } from '../users/subject.js';
import type { Attempt } from './attempt-cookies.service.js';
import { CODE_SECONDS, requestColumns, requestValues } from './login.js';
import { KEEP_LOGIN } from './logins.service.js';
import { SignOut } from './sign-out.service.js';

const browserSchema = z.object({
  id: z.string(),
  /** Rises with each sign-in, so that a cookie from before it opens nothing. */
  generation: z.number(),
  userId: z.string(),
  provider: z.string(),
  method: z.string(),
  hasFollowed: z.boolean(),
  /** When the person signed in, in milliseconds since the epoch; the row has when WeChat proved them. */
  authTime: z.number(),
  /** What the person agreed to on the page of the chooser. */
  consent: consentSchema.optional(),
});

/** A browser in which a person is signed in, as its sealed cookie says; the row may have ended since. */
export type SignedInBrowser = Readonly<z.infer<typeof browserSchema>>;

/** The login that a browser has just proven, and the session that it had before. */
interface Arrival {
  readonly loginId: string;
  readonly hasFollowed: boolean;
  readonly consent?: Consent | undefined;
  readonly former: SignedInBrowser | null;
}

/** What a client that goes past WeChat asked for. */
interface EnteringRequest extends Pick<Attempt, 'clientId' | 'redirectUri' | 'codeChallenge' | 'request'> {
  /** `consent_required` for a person who has not agreed to all that is requested: the consent page must not be shown. */
  readonly needsConsent: boolean;
}

const isLive = sql`(b.ended_at IS NULL AND b.idle_expires_at > now() AND b.expires_at > now())`;

const begunRow = z.object({
  id: z.string(),
  generation: z.number(),
  user_id: z.string(),
  provider: z.string(),
  method: z.string(),
  has_followed: z.boolean(),
  auth_time: z.date(),
});

const enteredRow = z.object({ id: z.string().nullable(), is_live: z.boolean() });

const NAME = 'iam-browser';

/**
 * The sessions of browsers on `publicUrl`, by which a person who is signed in comes to another application without WeChat. Only
 * clients with `sso` begin and use them.
 */
@Injectable()
export class BrowserSessions {
  private readonly sealer: Sealer;
  private readonly name: string;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly signOut: SignOut,
  ) {
    this.sealer = new Sealer(options.keyRing, 'browser-session');
    this.name = cookieName(NAME, options);
  }

  /** What the cookie of this browser says. */
  find(present: IamRequest['cookies']): SignedInBrowser | null {
    const sealed = present[this.name];
    return sealed === undefined ? null : this.sealer.openJson(sealed, NAME, browserSchema);
  }

  /**
   * As `find`, unless something has ended the session; one query where there is a cookie. One that has only expired lets nobody in,
   * but what was born from it lives on.
   */
  async findNotEnded(present: IamRequest['cookies']): Promise<SignedInBrowser | null> {
    const browser = this.find(present);
    if (browser === null) return null;
    const { id, generation } = browser;
    const exists = sql`
      SELECT 1 FROM iam.browser_sessions WHERE id = ${id} AND generation = ${generation}::int AND ended_at IS NULL`;
    return (await hasRow(this.dataSource, exists)) ? browser : null;
  }

  /** `Set-Cookie` value that removes it. */
  clear(): string {
    return this.write('', 0);
  }

  /**
   * Begins the session of a browser by a login that is proven and not redeemed, or begins it anew where the same person had one: in
   * both cases no earlier cookie works. One that has expired begins anew too: what was born from it ends with it as before. That of
   * another person ends, with all that was born from it. The `Set-Cookie` values; none for a person without a user. A repeated
   * callback gets the same cookie.
   */
  async begin(
    { loginId, hasFollowed, consent }: Omit<Arrival, 'former'>,
    { cookies, origin }: Pick<IamRequest, 'cookies' | 'origin'>,
  ): Promise<string[]> {
    const former = this.find(cookies);
    const begin = this.beginSql({ loginId, hasFollowed, former }, origin);
    const row = await queryRow(this.dataSource, begunRow, begin);
    if (row === null) return [];
    if (former !== null && former.userId !== row.user_id)
      await this.signOut.ofBrowser(former.userId, { browserId: former.id }, 'replaced');
    const browser: SignedInBrowser = {
      id: row.id,
      generation: row.generation,
      userId: row.user_id,
      provider: row.provider,
      method: row.method,
      hasFollowed: row.has_followed,
      authTime: row.auth_time.getTime(),
      consent,
    };
    const sealed = this.sealer.seal(JSON.stringify(browser), NAME);
    return [this.write(sealed, this.options.sessions.browser.absolute)];
  }

  /**
   * Signs the person of a browser in to a client, in one statement: the id of the new login, whose code may be redeemed. Without a login
   * the error code: the session is over, or the user or the proof of WeChat is gone; or the person has yet to agree.
   */
  async enter(
    browser: SignedInBrowser,
    entering: EnteringRequest,
    origin: IamRequest['origin'],
  ): Promise<{ readonly loginId: string } | 'login_required' | 'consent_required'> {
    const row = await queryRow(this.dataSource, enteredRow, this.enterSql(browser, entering, origin));
    if (row?.id != null) return { loginId: row.id };
    return row?.is_live === true ? 'consent_required' : 'login_required';
  }

  /** Locks the user, then reads the former session: every statement that ends a browser session locks the user first too. */
  private beginSql({ loginId, hasFollowed, former }: Arrival, origin: IamRequest['origin']): Sql {
    const { idle, absolute } = this.options.sessions.browser;
    return sql`
    WITH owner AS (
      SELECT u.id FROM iam.logins l JOIN iam.users u ON u.id = l.user_id AND u.status = 'active' WHERE l.id = ${loginId} FOR SHARE OF u
    ), former AS (
      SELECT b.id FROM owner, iam.browser_sessions b WHERE b.id = ${former?.id ?? null}::uuid AND b.user_id = owner.id AND b.ended_at IS NULL
      FOR NO KEY UPDATE OF b
    ), login AS (
      UPDATE iam.logins l
      SET auth_time = date_trunc('milliseconds', GREATEST(l.created_at, l.scanned_at, l.confirmed_at)),
          browser_session_id = COALESCE((SELECT id FROM former), ${uuidv7()}::uuid)
      FROM owner
      WHERE l.id = ${loginId} AND l.user_id = owner.id AND l.status = 'authenticated' AND l.browser_session_id IS NULL
      RETURNING l.*
    ), begun AS (
      INSERT INTO iam.browser_sessions AS b
        (id, user_id, provider, method, appid, openid, has_followed, ip, user_agent, auth_time, idle_expires_at, expires_at)
      SELECT browser_session_id, user_id, provider, method, appid, openid, ${hasFollowed}::boolean, ${origin.ip}::text, ${origin.userAgent}::text,
             date_trunc('milliseconds', ${loginProvenAtSql('login')}), now() + make_interval(secs => ${Math.min(idle, absolute)}::int), now() + make_interval(secs => ${absolute}::int)
      FROM login
      ON CONFLICT (id) DO UPDATE
      SET generation = b.generation + 1, provider = EXCLUDED.provider, method = EXCLUDED.method, appid = EXCLUDED.appid,
          openid = EXCLUDED.openid, has_followed = EXCLUDED.has_followed, ip = EXCLUDED.ip, user_agent = EXCLUDED.user_agent,
          auth_time = EXCLUDED.auth_time, last_used_at = now(), idle_expires_at = EXCLUDED.idle_expires_at, expires_at = EXCLUDED.expires_at
      WHERE b.ended_at IS NULL
      RETURNING b.*
    ), audited AS (
      ${insertAudit(
        { action: 'browser_session.started' },
        {
          from: sql`begun`,
          userId: sql`begun.user_id`,
          provider: sql`begun.provider`,
          detail: sql`jsonb_build_object('browser_session', begun.id, 'method', begun.method)`,
        },
      )}
    )
    SELECT begun.id, generation, begun.user_id, begun.provider, begun.method, has_followed, login.auth_time FROM begun, login
    UNION ALL
    SELECT b.id, b.generation, b.user_id, b.provider, b.method, b.has_followed, l.auth_time
    FROM iam.logins l JOIN iam.browser_sessions b
      ON b.id = l.browser_session_id AND b.auth_time = date_trunc('milliseconds', ${loginProvenAtSql('l')})
    WHERE l.id = ${loginId} AND ${isLive}`;
  }

  /** The proof is WeChat's of then: a withdrawal since, or one that arrives late, ends the login as it ends the browser session. */
  private enterSql(
    browser: SignedInBrowser,
    { clientId, redirectUri, codeChallenge, request, needsConsent }: EnteringRequest,
    { ip, userAgent }: IamRequest['origin'],
  ): Sql {
    const { id: browserSessionId, authTime, consent } = browser;
    const carried = { ...request, browserSessionId, authTime: new Date(authTime) };
    const entry = {
      action: 'login.authenticated',
      clientId,
      detail: { sso: true, ...(consent && { consent }) },
    } as const;
    const source = {
      from: sql`login`,
      userId: sql`login.user_id`,
      provider: sql`login.provider`,
      detail: sql`jsonb_build_object('method', login.method, 'appid', login.appid)`,
    };
    const asking = sql`
      (SELECT used.*, ${clientId}::text AS client_id, ${request?.scope ?? null}::text AS scope, ${request?.resources ?? null}::text[] AS resources FROM used) used
      WHERE ${consentedSql('used')}`;
    return sql`
    WITH owner AS (
      SELECT u.id FROM iam.browser_sessions b, iam.users u, iam.identities i
      WHERE b.id = ${browserSessionId} AND u.id = b.user_id AND u.status = 'active'
        AND i.appid = b.appid AND i.openid = b.openid AND i.user_id = u.id AND (i.withdrawn_at IS NULL OR b.auth_time >= i.withdrawn_at)
      FOR SHARE OF u, i
    ), used AS (
      UPDATE iam.browser_sessions b
      SET last_used_at = now(), idle_expires_at = LEAST(now() + make_interval(secs => ${this.options.sessions.browser.idle}::int), b.expires_at)
      FROM owner WHERE b.id = ${browserSessionId} AND b.user_id = owner.id AND b.generation = ${browser.generation}::int AND ${isLive}
      RETURNING b.*
    ), login AS (
      INSERT INTO iam.logins (id, status, provider, method, appid, openid, client_id, redirect_uri, code_challenge, ${requestColumns}, scanned_at, user_id,
                              ip, user_agent, redeem_before, expires_at)
      SELECT ${uuidv7()}::uuid, 'authenticated', used.provider, used.method, used.appid, used.openid, ${clientId}::text, ${redirectUri}::text,
             ${codeChallenge}::text, ${requestValues(carried)}, NULLIF(used.auth_time, ${carried.authTime}::timestamptz), used.user_id, ${ip}::text, ${userAgent}::text,
             now() + make_interval(secs => ${CODE_SECONDS}::int), now() + ${KEEP_LOGIN}
      FROM ${needsConsent ? asking : sql`used`}
      RETURNING id, user_id, provider, method, appid
    ), audited AS (${insertAudit(entry, source)})
    SELECT (SELECT id FROM login) AS id, EXISTS (SELECT FROM used) AS is_live`;
  }

  private write(value: string, maxAge: number): string {
    return setCookie({ name: this.name, value, maxAge }, this.options);
  }
}
