import type { AuditAction } from '../../src/audit/audit-actions.js';

/** From where an entry was caused: who acted, by which program, and whether the entry names a session. */
export type FromWhere =
  | 'administrator, browser, session'
  | 'person, browser, session'
  | 'stranger, browser, session'
  | 'stranger, browser'
  | 'stranger, phone'
  | 'WeChat, push'
  // Code of the host's, at its start.
  | 'stranger, nowhere';

/** A new action has to say here from where it may come, and be caused below; none: only a command causes it. */
export const expected: Readonly<Record<AuditAction, readonly FromWhere[]>> = {
  'backchannel_logout.given_up': [],
  'backchannel_logout.retried': ['administrator, browser, session'],
  'browser_session.ended': ['administrator, browser, session'],
  'browser_session.started': ['stranger, browser'],
  'api_key.created': ['person, browser, session'],
  'api_key.ended': ['person, browser, session'],
  'client.created': ['administrator, browser, session'],
  'client.deleted': ['administrator, browser, session'],
  'client.secret_cleared': ['administrator, browser, session'],
  'client.secret_rotated': ['administrator, browser, session'],
  'client.updated': ['administrator, browser, session'],
  'consent.declined': ['stranger, browser'],
  'consent.given': ['stranger, browser'],
  'consent.withdrawn': ['person, browser, session'],
  'event.replayed': ['administrator, browser, session'],
  'identity.account_closed': ['WeChat, push'],
  'identity.authorization_revoked': ['WeChat, push'],
  'identity.link_refused': ['person, browser, session'],
  'identity.linked': ['person, browser, session', 'stranger, browser', 'stranger, phone'],
  'identity.move_refused': [],
  'identity.moved': [],
  'identity.unionid_learned': ['stranger, phone'],
  'identity.unlinked': ['administrator, browser, session', 'person, browser, session'],
  'key.resealed': ['administrator, browser, session'],
  'key.revoked': ['administrator, browser, session'],
  'key.rotated': ['administrator, browser, session'],
  'login.authenticated': ['stranger, browser', 'stranger, phone'],
  'login.confirmed': ['stranger, phone'],
  'login.denied': ['stranger, phone'],
  'login.failed': ['stranger, browser'],
  'login.number_confirmed': ['stranger, phone'],
  'login.number_denied': ['stranger, phone'],
  'login.number_typed': ['WeChat, push'],
  'login.number_wrong': ['stranger, phone'],
  'login.scanned': ['WeChat, push'],
  'provider.created': ['administrator, browser, session', 'stranger, nowhere'],
  'provider.deleted': ['administrator, browser, session'],
  'provider.secret_rotated': ['administrator, browser, session'],
  'provider.updated': ['administrator, browser, session', 'stranger, nowhere'],
  'limit.refused': ['stranger, browser'],
  'role.created': ['administrator, browser, session'],
  'role.deleted': ['administrator, browser, session'],
  'role.updated': ['administrator, browser, session'],
  'session.code_reused': ['stranger, browser, session'],
  'session.ended': [
    'administrator, browser, session',
    'person, browser, session',
    'stranger, phone',
    'WeChat, push',
  ],
  'session.refresh_reused': ['stranger, browser, session'],
  'session.refused': ['stranger, browser'],
  'session.replaced': ['stranger, browser, session'],
  'session.revoked': ['stranger, browser, session'],
  'session.started': ['stranger, browser, session'],
  'user.ban_lifted': ['administrator, browser, session'],
  'user.created': ['administrator, browser, session', 'stranger, browser'],
  'user.deletion_cancelled': ['person, browser, session'],
  'user.deletion_requested': ['person, browser, session'],
  'user.disabled': ['administrator, browser, session'],
  'user.enabled': ['administrator, browser, session'],
  'user.erased': ['administrator, browser, session'],
  'user.exported': ['person, browser, session'],
  'user.matched_by_host': ['stranger, browser'],
  'user.merge_refused': ['stranger, phone'],
  'user.merged': ['administrator, browser, session', 'stranger, phone'],
  'user.phone_removed': ['person, browser, session'],
  'user.phone_verified': ['person, browser, session', 'stranger, browser'],
  'user.role_assigned': ['administrator, browser, session'],
  'user.role_removed': ['administrator, browser, session'],
  'user.signed_up': ['stranger, browser', 'stranger, phone'],
  'user.updated': ['administrator, browser, session'],
  'webhook.replay_refused': ['WeChat, push'],
};
