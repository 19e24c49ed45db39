import {
  boolean,
  defineTable,
  integer,
  json,
  key,
  nullable,
  now,
  text,
  timestamp,
  uuid,
} from '../database/define-table.js';

/**
 * `pending`: claimed and WeChat is being asked, or a QR code waits to be scanned. `scanned`: the first phone has
 * scanned it. `confirmed`: and its person has agreed. `authenticated`: a one-time code may be redeemed. `binding`: a binding
 * token may be redeemed. `consumed`, `denied`, `failed`, `expired` are final.
 */
export const loginStatuses = [
  'pending',
  'scanned',
  'confirmed',
  'authenticated',
  'binding',
  'consumed',
  'denied',
  'failed',
  'expired',
] as const;

/** See `loginStatuses`. */
export type LoginStatus = (typeof loginStatuses)[number];

/** `iam.logins`: a claimed callback (a redirect sign-in stores nothing before that) or a device authorization. */
export const LoginEntity = defineTable('logins', {
  columns: {
    id: key(uuid),
    /** SHA-256 of `state`: claiming it twice violates the constraint. */
    state_hash: nullable(text),
    /** SHA-256 of appid and WeChat's code: a code seen before is refused, whatever state brings it. */
    wechat_code_hash: nullable(text),
    /** SHA-256 of the QR code's scene. */
    scene_hash: nullable(text),
    /** SHA-256 of the state of the attempt whose page asked for the QR code; several codes may be one attempt's. */
    attempt_hash: nullable(text),
    /** A `LoginStatus`. */
    status: text,
    /** Our error code when `denied` or `failed`. */
    error: nullable(text),
    provider: text,
    method: text,
    appid: text,
    openid: nullable(text),
    client_id: text,
    redirect_uri: nullable(text),
    code_challenge: nullable(text),
    /** The scope that the client may have and asked for; null where it named none. */
    scope: nullable(text),
    /** Comes back in the ID token. */
    nonce: nullable(text),
    /** The resources that the access token is for (RFC 8707); null where none was named. */
    resources: nullable({ ...text, array: true }),
    /** The browser session by which the person came in, or which the sign-in began. */
    browser_session_id: nullable(uuid),
    /** When the person proved who they are, where that was before this sign-in. */
    auth_time: nullable(timestamp),
    user_id: nullable(uuid),
    /** The identity that a signed-in user linked by this attempt, which then begins no session. */
    linked_identity_id: nullable(uuid),
    /** The session in which `user_id` asked for this scan to link an identity by; the database keeps it from signing in. */
    link_session_id: nullable(uuid),
    is_new_user: { ...boolean, default: false },
    /** The number that the PC shows, which the scanner types with `qr_confirmation = number`. */
    user_code: nullable(text),
    /** MAC of the code that a person types on the device page; only a device authorization has one. */
    user_code_hash: nullable(text),
    /** What the phone must do, as the row said when the QR code was asked for: the PC says the same. */
    confirmation: nullable(text),
    number_tries: { ...integer, default: 0 },
    scanned_at: nullable(timestamp),
    confirmed_at: nullable(timestamp),
    /** What WeChat proved, kept until a person without user is bound to one, or until the time for that is over. */
    subject: nullable(json),
    ip: nullable(text),
    user_agent: nullable(text),
    created_at: now,
    /** When the QR code, the code or the binding token stops working. */
    redeem_before: nullable(timestamp),
    /** When the page that shows the QR code gives up: no scan keeps the login for longer. */
    attempt_ends_at: nullable(timestamp),
    /** When the row may be removed. */
    expires_at: timestamp,
  },
  uniques: {
    logins_state_hash_key: ['state_hash'],
    logins_wechat_code_hash_key: ['wechat_code_hash'],
    logins_scene_hash_key: ['scene_hash'],
    logins_user_code_hash_key: ['user_code_hash'],
  },
  checks: {
    logins_status_check:
      "status IN ('pending', 'authenticated', 'binding', 'consumed', 'denied', 'failed', 'expired', 'scanned', 'confirmed')",
    logins_confirmation_check: "confirmation IN ('tap', 'number', 'none')",
    logins_link_check:
      "link_session_id IS NULL OR (user_id IS NOT NULL AND status NOT IN ('authenticated', 'binding'))",
    logins_asked_check:
      "confirmation IS DISTINCT FROM 'none' OR (link_session_id IS NULL AND status <> 'binding')",
  },
  indexes: {
    logins_status_idx: ['status', 'id'],
    logins_error_idx: { columns: ['error', 'id'], where: '(error IS NOT NULL)' },
    logins_provider_idx: ['provider', 'id'],
    logins_openid_idx: {
      columns: ['openid'],
      where: '((openid IS NOT NULL) AND ((user_id IS NULL) OR (link_session_id IS NOT NULL)))',
    },
    logins_scanner_idx: { columns: ['openid', 'provider'], where: "(status = 'scanned'::text)" },
    logins_user_id_idx: ['user_id'],
    logins_expires_at_idx: ['expires_at'],
    logins_subject_idx: { columns: ['redeem_before'], where: '(subject IS NOT NULL)' },
  },
  references: { logins_user_id_fkey: { table: 'users', columns: { user_id: 'id' } } },
});
