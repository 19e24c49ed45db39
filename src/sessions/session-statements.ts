import { z } from 'zod';
import { empty, sql, raw, type Sql } from '../database/sql.js';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';

/** The content of a refresh token: its session, and after how many rotations it was issued. */
export interface RefreshToken {
  readonly sessionId: string;
  readonly generation: number;
}

/**
 * When WeChat proved the person of a login: for the browser session, at the scan, or just before the callback claimed it. A mini
 * program's page scans with a proof from before, which is older than the person's `auth_time`.
 */
export const loginProvenAtSql = (login: string): Sql =>
  raw(`COALESCE(LEAST(${login}.auth_time, ${login}.scanned_at), ${login}.created_at)`);

/** The same of a session, whose code may have waited; a login that no longer exists was redeemed a day ago. */
export const sessionProvenAtSql = (session: string): Sql =>
  sql`COALESCE((SELECT ${loginProvenAtSql('l')} FROM iam.logins l WHERE l.id = ${raw(session)}.login_id), ${raw(session)}.auth_time, ${raw(session)}.created_at)`;

/** The roles of the user of a row. */
export const rolesOfSql = (relation: string): Sql =>
  sql`ARRAY(SELECT r.role FROM iam.user_roles r WHERE r.user_id = ${raw(relation)}.user_id ORDER BY r.role) AS roles`;

/** What a user `u` may be told of to a client, by its scope. */
export const personSql = (user: string): Sql =>
  raw(`jsonb_build_object('nickname', ${user}.nickname, 'avatar_url', ${user}.avatar_url, 'phone_number', ${user}.phone_number,
    'updated_at', floor(extract(epoch FROM ${user}.updated_at)))`);

/** See `personSql`. */
export const personRow = z.object({
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  phone_number: z.string().nullable(),
  updated_at: z.number(),
});

/** See `personSql`. */
export type Person = Readonly<z.infer<typeof personRow>>;

/** The person of a session whose scope has `openid`: without it, nothing is read. */
export const personOfSql = (session: string): Sql => sql`
  CASE WHEN 'openid' = ANY(string_to_array(${raw(session)}.scope, ' '))
       THEN (SELECT ${personSql('u')} FROM iam.users u WHERE u.id = ${raw(session)}.user_id) END AS person`;

/** The scope of a session whose client named none. */
const UNNAMED_SCOPE = 'profile roles offline_access';

/** What a token request names, and what its application may still have: the rest of what was granted is left out of the token. */
export interface TokenBounds {
  readonly clientId: string;
  /** Named by a refresh (RFC 6749 §6). */
  readonly scope?: string | undefined;
  /** Named, as identifiers (RFC 8707 §2.2). */
  readonly asked: readonly string[] | undefined;
  /** The application's scopes; null: every one. */
  readonly scopes: readonly string[] | null;
  /** The identifiers of its resources. */
  readonly resources: readonly string[];
  /** Those of them that may be named where none was granted. */
  readonly unnamed: readonly string[];
}

const excess = z.enum(['invalid_scope', 'invalid_target']);

/** See `excessSql`. */
export const excessRow = z.object({ excess: excess.nullable() });

/**
 * The error code of a request that names more than the login or session has, or gets nothing of it; else null. It is known so before
 * a code is consumed or a refresh token spent. The session of a browser may be that of another client, whose scope is its own.
 */
export const excessSql = (row: string, bounds: TokenBounds): Sql => sql`CASE
  WHEN NOT string_to_array(${bounds.scope ?? null}, ' ') <@ string_to_array(COALESCE(${raw(row)}.scope, ${UNNAMED_SCOPE}), ' ')
    OR ${raw(row)}.client_id = ${bounds.clientId} AND NOT string_to_array(${raw(row)}.scope, ' ') && ${bounds.scopes}::text[] THEN 'invalid_scope'
  WHEN NOT ${raw(row)}.resources && ${bounds.resources}::text[]
    OR NOT ${bounds.asked ?? null}::text[] <@ COALESCE(${raw(row)}.resources, ${bounds.unnamed}::text[]) THEN 'invalid_target' END`;

/** The columns of a row of `iam.sessions` that its tokens tell of; see `tokenRow`. */
export const tokenColumnsSql = (session: string): Sql =>
  raw(
    ['user_id', 'client_id', 'method', 'created_at', 'scope', 'resources', 'auth_time']
      .map((column) => `${session}.${column}`)
      .join(', '),
  );

/** See `tokenColumnsSql`, `rolesOfSql` and `personOfSql`. */
export const tokenRow = z.object({
  user_id: z.string(),
  client_id: z.string(),
  method: z.string(),
  created_at: z.date(),
  scope: z.string().nullable(),
  resources: z.array(z.string()).nullable(),
  auth_time: z.date().nullable(),
  roles: z.array(z.string()),
  person: personRow.nullable(),
});

/** What a session's tokens say of it. */
export function toTokenSubject(row: z.infer<typeof tokenRow>) {
  return {
    userId: row.user_id,
    clientId: row.client_id,
    roles: row.roles,
    method: row.method,
    beganAt: row.created_at,
    signedInAt: row.auth_time ?? row.created_at,
    ...(row.scope !== null && { scope: row.scope }),
    ...(row.resources !== null && { resources: row.resources }),
    ...(row.person !== null && { person: row.person }),
  };
}

/** A session `s` that can still be refreshed. */
export const isLiveSql = sql`(s.ended_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())`;

/** A condition on a session or login of a third party's application: its user has agreed to all that it asks for. */
export const consentedSql = (row: string): Sql => sql`EXISTS (
    SELECT FROM iam.consents o WHERE o.user_id = ${raw(row)}.user_id AND o.client_id = ${raw(row)}.client_id
      AND string_to_array(COALESCE(${raw(row)}.scope, ''), ' ') <@ o.scopes AND COALESCE(${raw(row)}.resources, '{}') <@ o.resources)`;

/** The people whom an application of the database admits. */
export interface Admission {
  /** Slugs of the providers through which they come; empty: any. */
  readonly providers: readonly string[];
  /** By client id: what began before belongs to an earlier application with this id. Without one of those of the code. */
  readonly since: Readonly<Record<string, Date>>;
  /** Of a third party: only those who agree. */
  readonly needsConsent: boolean;
}

/** A condition on a session or login: the application admits what began so. */
export const admitsSql = (row: string, { providers, since, needsConsent }: Admission): Sql => sql`(
  ${raw(row)}.created_at >= COALESCE((${JSON.stringify(since)}::jsonb ->> ${raw(row)}.client_id)::timestamptz, '-infinity')
  AND (cardinality(${providers}::text[]) = 0 OR ${raw(row)}.provider = ANY(${providers}::text[]))${needsConsent ? sql` AND ${consentedSql(row)}` : empty})`;

/** FROM and WHERE of a session `s` whose tokens work now, at an application that admits so, and of its user `u`. */
export const liveAtClientSql = (sessionId: string, admission?: Admission): Sql => sql`
  FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
  WHERE s.id = ${sessionId} AND ${isLiveSql} AND u.status = 'active'${admission === undefined ? empty : sql` AND ${admitsSql('s', admission)}`}`;

/** The client that brings a token; see `TokenCaller`. */
interface Caller {
  readonly sessionsOf: readonly string[];
  readonly admission?: Admission | undefined;
}

/** A third party refreshes only what began with `offline_access`: else it was given no token, or it was first-party then. */
const isOfCaller = ({ sessionsOf, admission }: Caller): Sql => {
  const isOwn = sql`s.client_id = ANY(${sessionsOf}::text[])`;
  if (admission === undefined) return isOwn;
  const isOffline = sql` AND 'offline_access' = ANY(string_to_array(s.scope, ' '))`;
  return sql`${isOwn} AND ${admitsSql('s', admission)}${admission.needsConsent ? isOffline : empty}`;
};

/** Rotates a token of the caller's sessions; `idle` in seconds. No row: the token is not the live one, or has less than is asked for. */
export const rotateSql = (
  token: RefreshToken,
  caller: Caller,
  { idle, bounds }: { readonly idle: number; readonly bounds: TokenBounds },
): Sql => sql`
  WITH rotated AS (
    UPDATE iam.sessions s
    SET generation = s.generation + 1, rotated_at = now(), grace_uses = 0,
        idle_expires_at = LEAST(now() + make_interval(secs => ${idle}::int), s.expires_at)
    FROM iam.users u
    WHERE s.id = ${token.sessionId} AND s.generation = ${token.generation} AND ${isOfCaller(caller)}
      AND ${isLiveSql} AND u.id = s.user_id AND u.status = 'active' AND ${excessSql('s', bounds)} IS NULL
    RETURNING ${tokenColumnsSql('s')}
  )
  SELECT rotated.*, ${rolesOfSql('rotated')}, ${personOfSql('rotated')} FROM rotated`;

/** For how many seconds, and how often, a used parent token or code gets the same response again. */
export interface ReuseGrace {
  readonly seconds: number;
  readonly uses: number;
}

/**
 * Takes back a rotation whose token no client received. Requests at once share a rotation, and each that fails calls this: after the last
 * of them the earlier token is valid again. The token before that one gets no grace; where there is none, the code of the session does.
 */
export const unrotateSql = ({ sessionId, generation }: RefreshToken, uses: number): Sql => sql`
  UPDATE iam.sessions SET generation = generation - (grace_uses = 0)::int,
    grace_uses = CASE WHEN grace_uses > 0 THEN grace_uses - 1 WHEN generation > 1 THEN ${uses}::int ELSE 0 END
  WHERE id = ${sessionId} AND generation = ${generation} AND ended_at IS NULL`;

/** Why `iam.make_room` ends a session. */
export const SESSION_LIMIT = 'session_limit';

/** Locks the session: the direct parent gets the same response again within the grace, an older token ends the session. */
export const settleReuseSql = (
  { sessionId, generation }: RefreshToken,
  { bounds, ...caller }: Caller & { readonly bounds: TokenBounds },
  grace: ReuseGrace,
  entry: AuditEntry,
): Sql => sql`
  WITH locked AS (
    SELECT s.id, ${tokenColumnsSql('s')}, s.generation, s.rotated_at, s.grace_uses, u.status AS user_status, ${excessSql('s', bounds)} AS excess
    FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
    WHERE s.id = ${sessionId} AND ${isOfCaller(caller)} AND ${isLiveSql}
    FOR UPDATE OF s
  ), verdict AS (
    SELECT locked.*, CASE
      WHEN user_status <> 'active' THEN 'over'
      WHEN generation = ${generation}::int + 1 AND rotated_at > now() - make_interval(secs => ${grace.seconds}::int)
           AND grace_uses < ${grace.uses}::int THEN COALESCE(excess, 'grace')
      WHEN generation > ${generation}::int THEN 'reuse'
      WHEN generation = ${generation}::int THEN COALESCE(excess, 'live')
      ELSE 'over' END AS verdict
    FROM locked
  ), graced AS (
    UPDATE iam.sessions s SET grace_uses = s.grace_uses + 1 FROM verdict v WHERE v.verdict = 'grace' AND s.id = v.id
  ), ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = 'refresh_reused'
    FROM verdict v WHERE v.verdict = 'reuse' AND s.id = v.id
    RETURNING s.user_id
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id` })}
  )
  SELECT ${tokenColumnsSql('verdict')}, generation, verdict, ${rolesOfSql('verdict')}, ${personOfSql('verdict')} FROM verdict
  UNION ALL
  SELECT ${tokenColumnsSql('s')}, s.generation, found.why, '{}'::text[], NULL::jsonb
  FROM iam.sessions s, LATERAL (SELECT CASE
    WHEN s.end_reason = ${SESSION_LIMIT} AND ${isOfCaller(caller)} THEN 'replaced'
    WHEN ${isLiveSql} AND ${isUnadmitted(caller)} THEN 'unadmitted' END AS why) found
  WHERE s.id = ${sessionId} AND found.why IS NOT NULL`;

/** It is of the caller's clients, but for the provider by which it began. */
const isUnadmitted = ({ sessionsOf, admission }: Caller): Sql => {
  if (admission === undefined) return sql`false`;
  const anyProvider = { ...admission, providers: [] };
  return sql`${isOfCaller({ sessionsOf, admission: anyProvider })} AND NOT ${admitsSql('s', admission)}`;
};

/**
 * CTEs of a statement that has locked the user: end the browser sessions `b` of a condition that have not ended, with their audit
 * entries; a trigger ends what was born from them.
 */
export const endBrowsersCtes = (condition: Sql, reason: string): Sql => sql`
  browsers AS (
    UPDATE iam.browser_sessions b SET ended_at = now(), end_reason = ${reason} WHERE ${condition} AND b.ended_at IS NULL
    RETURNING b.id, b.user_id
  ), audited_browsers AS (
    ${insertAudit(
      { action: 'browser_session.ended', detail: { reason } },
      {
        from: sql`browsers`,
        userId: sql`browsers.user_id`,
        detail: sql`jsonb_build_object('browser_session', browsers.id)`,
      },
    )}
  )`;

/** For a CTE: ends the sessions `s` of a condition that have not ended. */
export const endSessionsSql = (condition: Sql, reason: string): Sql => sql`
    UPDATE iam.sessions s SET ended_at = now(), end_reason = ${reason} WHERE ${condition} AND s.ended_at IS NULL
    RETURNING s.id, s.user_id, s.browser_session_id, s.idle_expires_at > now() AND s.expires_at > now() AS was_live`;
