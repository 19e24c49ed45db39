import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { constantTimeEqual } from '../crypto/hash.js';
import type { Mac } from '../crypto/key-ring.js';
import { empty, raw, sql, type Sql } from '../database/sql.js';
import type { Parameters } from '../http/request-body.js';
import { localeOf } from '../http/user-agent.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Consent, ResolvedPerson } from '../users/subject.js';

/**
 * What a client asks for beyond a sign-in, checked, and the browser session that stands behind it. It goes with the attempt into the
 * login and its session; empty for a request as first-party clients have always made it.
 */
export const authorizationRequestSchema = z.object({
  /** What is granted of the scope that it asked for, in its order. */
  scope: z.string().optional(),
  nonce: z.string().optional(),
  /** RFC 8707. */
  resources: z.array(z.string()).optional(),
  browserSessionId: z.string().optional(),
  /** Of a request that the client has pushed: by it alone the way over our pages goes on. */
  requestUri: z.string().optional(),
  /** When the person proved who they are, where that was before this sign-in. */
  authTime: z.coerce.date().optional(),
  /** Whom the client means by `id_token_hint`, sealed; see `IdTokenHints`. */
  idTokenHint: z.string().optional(),
  /** Of our pages, where the client named one. */
  language: z.enum(['zh', 'en']).optional(),
  /** `none` shows no page, `consent` asks also who agreed before (OpenID Connect Core 3.1.2.1). */
  prompt: z.array(z.string()).optional(),
});

/** See `authorizationRequestSchema`. */
export type AuthorizationRequest = Readonly<z.infer<typeof authorizationRequestSchema>>;

/** The columns of an `AuthorizationRequest` in `iam.logins`. */
export const requestColumns = raw('scope, nonce, resources, browser_session_id, auth_time');

/** Their values, for the SELECT of an INSERT. */
export const requestValues = (request: AuthorizationRequest = {}): Sql => sql`
  ${request.scope ?? null}::text, ${request.nonce ?? null}::text, ${request.resources ?? null}::text[],
  ${request.browserSessionId ?? null}::uuid, ${request.authTime ?? null}::timestamptz`;

/** The parameters by which an authorization request asks for the same again. */
export function requestParameters(request: AuthorizationRequest = {}): Parameters {
  const { scope, nonce, resources, requestUri, idTokenHint, prompt, language } = request;
  return {
    ...(scope !== undefined && { scope }),
    ...(nonce !== undefined && { nonce }),
    ...(resources !== undefined && { resource: resources }),
    ...(requestUri !== undefined && { request_uri: requestUri }),
    ...(idTokenHint !== undefined && { id_token_hint: idTokenHint }),
    ...(prompt?.includes('consent') === true && { prompt: 'consent' }),
    ...(language !== undefined && { ui_locales: localeOf(language) }),
  };
}

/** What a login starts from: an `Attempt` that a browser carried, or the code of a mini program or mobile app. */
export interface LoginStart {
  readonly provider: string;
  readonly method: string;
  readonly appid: string;
  readonly clientId: string;
  readonly state?: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  readonly request?: AuthorizationRequest | undefined;
  /** The session that links another identity by it; absent for a sign-in. */
  readonly link?: ActingSession | undefined;
  readonly consent?: Consent | undefined;
}

/** The audit entry of a login that ended, well or with an error. */
export function auditOfLogin(start: LoginStart, error?: IamErrorCode): AuditEntry {
  const { method, appid, clientId, provider, link, consent } = start;
  const failed = link === undefined ? 'login.failed' : 'identity.link_refused';
  return {
    ...link,
    action: error === undefined ? 'login.authenticated' : failed,
    clientId,
    provider,
    detail: { method, appid, ...(error === undefined ? consent && { consent } : { error }) },
  };
}

/** A login of this status, its audit entry, and the points that it gives back. */
type ProvenLogin = AuditEntry & {
  readonly loginId: string;
  readonly status: string;
  readonly consent?: Consent | undefined;
  readonly refund?: { ctes(when: Sql): Sql };
};

/** Life of a one-time code, in seconds. */
export const CODE_SECONDS = 60;

/**
 * CTEs of a `RecordResolution`: a login of this status proves the person, and its one-time code may be redeemed. What WeChat
 * proved of a person without a user is kept with it.
 */
export const authenticatedCtes = (
  { openid, isNewUser, toBind }: ResolvedPerson,
  { loginId, status, consent, refund, ...entry }: ProvenLogin,
): Sql => sql`
  login AS (
    UPDATE iam.logins l
    SET status = 'authenticated', user_id = person.user_id, openid = ${openid}, is_new_user = ${isNewUser},
        subject = ${toBind === null ? null : JSON.stringify({ ...toBind, consent })}, redeem_before = now() + make_interval(secs => ${CODE_SECONDS}::int)
    FROM person WHERE l.id = ${loginId} AND l.status = ${status} AND l.link_session_id IS NULL
    RETURNING l.user_id
  ), audited AS (
    ${insertAudit({ ...entry, action: isNewUser ? 'user.signed_up' : 'login.authenticated' }, { from: sql`login`, userId: sql`login.user_id` })}
  )${refund?.ctes(sql`login`) ?? empty}`;

/**
 * A one-time code or binding token: a MAC over the login's id. It is never stored, and a second callback of the same
 * browser gets the very same code. Use is limited by the row's status, not by the text.
 */
export function mintLoginToken(mac: Mac, loginId: string): string {
  return `${mac.keyId}.${loginId}.${mac.sign(loginId)}`;
}

/** The login's id, or null when the text was not issued by us for this purpose: its MAC alone decides that. */
export function readLoginToken(mac: Mac, text: string): string | null {
  const [first, last] = [text.indexOf('.'), text.lastIndexOf('.')];
  const loginId = text.slice(first + 1, last);
  const expected = mac.signWith(text.slice(0, first), loginId);
  return expected !== null && constantTimeEqual(expected, text.slice(last + 1)) ? loginId : null;
}

/** What a signed-in user has linked, in which session, and by which login. */
export interface LinkedLogin {
  readonly loginId: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly appid: string;
  readonly openid: string;
  readonly identityId: string;
}
