import { z } from 'zod';
import { empty, raw, sql, type Sql } from '../database/sql.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { qrWayName } from '../sign-in/cross-device-sessions.service.js';
import type { LoginStatus } from '../sign-in/login.entity.js';

/** See `qrWayName`. */
export type QrWayName = z.infer<typeof qrWayName>;

/** Longest life of a QR code, in seconds. */
export const QR_SECONDS = 300;

/** How long a scan may wait for its decision and its browser; an attempt of a page ends with the page's cookie. */
export const COLLECT = raw(`interval '600 seconds'`);

/** A device that polls for the last time just before its code expires still finds what was confirmed in that second. */
export const LAST_POLL = raw(`interval '60 seconds'`);

/** A device authorization as its row stands; `is_live` is the database's clock speaking. */
export const qrLoginRow = z.object({
  id: z.string(),
  status: z.custom<LoginStatus>((value) => typeof value === 'string'),
  error: z.string().nullable(),
  provider: z.string(),
  /** The name of its way; `device` once a typed code has confirmed it. */
  method: z.string(),
  appid: z.string(),
  openid: z.string().nullable(),
  client_id: z.string(),
  redirect_uri: z.string().nullable(),
  code_challenge: z.string().nullable(),
  scope: z.string().nullable(),
  attempt_hash: z.string().nullable(),
  user_id: z.string().nullable(),
  link_session_id: z.string().nullable(),
  linked_identity_id: z.string().nullable(),
  user_code: z.string().nullable(),
  user_code_hash: z.string().nullable(),
  confirmation: z.enum(['tap', 'number', 'none']).nullable(),
  number_tries: z.number(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  created_at: z.date(),
  /** What a way has stored of the person who confirmed; see `QrWay.readScanner`. */
  subject: z.unknown(),
  is_live: z.boolean(),
});

/** What `qrLoginRow` reads as it is stored: all but the state, which the row of the provider and the clock decide with it. */
export const storedColumns = raw(
  Object.keys(qrLoginRow.omit({ id: true, status: true, error: true, is_live: true }).shape).join(', '),
);

/** See `qrLoginRow`. */
export type QrLogin = Readonly<z.infer<typeof qrLoginRow>>;

/** The `grant_type` of RFC 8628 §3.4. */
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/** The state as a waiting browser gets it; `done` means that another request has collected the sign-in already. */
export type QrState = 'pending' | 'scanned' | 'confirmed' | 'denied' | 'expired' | 'failed' | 'done';

/** What the phone must do after a scan. */
export type Confirmation = IdentityProvider['qr']['confirmation'];

/**
 * What the phone must do after a scan at this row. `none` holds for a sign-in by following alone: to open a page is no consent, and
 * without a question, one scan would put the scanner's WeChat into the account of another person, by a link or by the binding
 * that `sign_up: bind` leads to.
 */
export function confirmationOf(
  { qr, signUp }: Pick<IdentityProvider, 'qr' | 'signUp'>,
  { method, link }: { readonly method: QrWayName; readonly link?: ActingSession | undefined },
): Confirmation {
  const mustAsk = method !== 'follow' || link !== undefined || signUp === 'bind';
  return qr.confirmation === 'none' && mustAsk ? 'tap' : qr.confirmation;
}

/** Who links an identity by this scan, in which session; undefined for a sign-in. */
export function linkOf({
  user_id: userId,
  link_session_id: sessionId,
}: Pick<QrLogin, 'user_id' | 'link_session_id'>): ActingSession | undefined {
  return userId === null || sessionId === null ? undefined : { userId, sessionId };
}

/** True for scans of one purpose: both to sign in, or both to link an identity in the same session. */
export function isSameLink(one: ActingSession | undefined, other: ActingSession | undefined): boolean {
  return one?.userId === other?.userId && one?.sessionId === other?.sessionId;
}

/** The state of a login for its browser. Expiry is not written anywhere: it is read from the clock. */
export function qrStateOf({ status, is_live }: Pick<QrLogin, 'status' | 'is_live'>): QrState {
  switch (status) {
    case 'denied':
    case 'failed':
    case 'expired':
      return status;
    case 'consumed':
    case 'binding':
      return 'done';
    case 'authenticated':
    case 'confirmed':
      return is_live ? 'confirmed' : 'expired';
    case 'pending':
    case 'scanned':
      return is_live ? status : 'expired';
  }
}

function isIncomplete(app: 'mp' | 'open' | 'mini'): string {
  return `(COALESCE(trim(p.${app}_app_id), '') = '' OR COALESCE(p.${app}_app_secret, '') = '')`;
}

/** What is wrong with a row `p` for logins of a way, in the order in which it is said: the rules of each `problemOf`. */
const rowProblems: Readonly<
  Record<QrWayName, (login: string) => readonly [condition: string, code: IamErrorCode][]>
> = {
  follow: (login) => [
    [isIncomplete('mp'), 'wechat_mp_not_configured'],
    [`trim(p.mp_app_id) <> ${login}.appid`, 'provider_misconfigured'],
    [`NOT p.qr_enabled OR p.qr_with <> 'follow'`, 'method_unavailable'],
    [`p.qr_login_with = 'open' AND ${isIncomplete('open')}`, 'wechat_open_not_configured'],
  ],
  page: (login) => [
    [isIncomplete('mp'), 'wechat_mp_not_configured'],
    [`trim(p.mp_app_id) <> ${login}.appid`, 'provider_misconfigured'],
    [`NOT p.qr_enabled OR p.qr_with <> 'page'`, 'method_unavailable'],
  ],
  mini: (login) => [
    [isIncomplete('mini'), 'wechat_mini_not_configured'],
    [`trim(p.mini_app_id) <> ${login}.appid`, 'provider_misconfigured'],
    [`COALESCE(p.mini_approval_page, '') = ''`, 'method_unavailable'],
  ],
};

/**
 * The rule of `QrWay.problemOf` for a login under way, by the row as it is now: why no scan can finish it any more, or null. In
 * SQL, because the push of a scan does not say whose login it is, and because a replica may know the row as it was.
 */
export const qrProblemSql = (login: string): Sql =>
  raw(`
  CASE WHEN ${login}.status IN ('pending', 'scanned', 'confirmed', 'authenticated') THEN NULLIF(COALESCE((
    SELECT CASE
        WHEN NOT p.enabled THEN 'provider_disabled'
${Object.entries(rowProblems)
  .flatMap(([way, problems]) =>
    problems(login).map(
      ([condition, code]) => `        WHEN ${login}.method = '${way}' AND (${condition}) THEN '${code}'\n`,
    ),
  )
  .join('')}        ELSE '' END
    FROM iam.identity_providers p WHERE p.slug = ${login}.provider), 'provider_not_found'), '') END`);
/** A SELECT, without its WHERE, that reads `qrLoginRow`, and `more` of `l`. While the provider's row can finish no scan, a login of it counts as failed. */
export const selectQrLogins = (more: Sql = empty): Sql => sql`
  SELECT id, CASE WHEN problem IS NULL THEN status ELSE 'failed' END AS status, COALESCE(problem, error) AS error, ${storedColumns},
         COALESCE(redeem_before > now(), false) AS is_live${more}
  FROM iam.logins l CROSS JOIN LATERAL (SELECT ${qrProblemSql('l')} AS problem) AS offer`;
