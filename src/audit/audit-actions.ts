/**
 * Every action of the audit log, `noun.verb` in the past, and what has happened then. docs/administration.md has the same
 * sentences.
 */
export const auditActions = {
  'event.replayed': 'An administrator had a stored event processed again.',
  'identity.account_closed': 'The person has closed their WeChat account.',
  'identity.authorization_revoked': 'The person took back what an app may read of them.',
  'identity.link_refused': 'An identity was not linked; `detail` says why.',
  'identity.linked': 'An identity became one of the user’s.',
  'identity.move_refused':
    'The openid in another Official Account was not added: another user has it, or a ban covers it.',
  'identity.moved': 'The user got the openid that they have in another Official Account.',
  'identity.unionid_learned': 'WeChat showed the unionid of a known identity.',
  'identity.unlinked': 'An identity was taken from the user.',
  'key.resealed': 'Secrets of one row were sealed again with the current sealing key.',
  'key.revoked': 'A signing key was removed: what it signed is refused.',
  'key.rotated': 'A new signing key was published, or signs earlier than planned.',
  'limit.refused': 'A rate limit refused a request.',
  'login.authenticated': 'WeChat proved a known user; no session has begun yet.',
  'login.confirmed': 'The person confirmed a sign-in on their phone.',
  'login.denied': 'The person declined a sign-in on their phone.',
  'login.failed': 'A sign-in failed; `detail` has the error code.',
  'login.number_confirmed': 'On the page on the phone the person typed the number that the PC shows.',
  'login.number_denied':
    'On the page on the phone the person typed the last wrong number, which ends the sign-in.',
  'login.number_typed':
    'A follower sent a number to the Official Account; `detail.outcome` says what came of it.',
  'login.number_wrong': 'On the page on the phone the person typed a wrong number.',
  'login.scanned': 'A follower scanned the QR code of a sign-in.',
  'provider.created': 'A provider row was created.',
  'provider.deleted': 'A provider row was deleted.',
  'provider.secret_rotated': 'A secret of a provider row was replaced.',
  'provider.updated': 'A provider row was changed.',
  'role.created': 'A role was created.',
  'role.deleted': 'A role was deleted.',
  'role.updated': 'A role was changed.',
  'session.code_reused': 'A code was redeemed twice, which ends its session.',
  'session.ended': 'Sessions ended; `detail.reason` says why.',
  'session.refresh_reused': 'An old refresh token was used again, which ends its session.',
  'session.replaced': 'Another session took its place in the browser.',
  'session.revoked': 'The client signed the user out.',
  'session.started': 'A session began.',
  'user.ban_lifted': 'The ban of an erased user was lifted.',
  'user.created': 'The host created a user.',
  'user.deletion_cancelled': 'The user keeps the account after all.',
  'user.deletion_requested': 'The user asked for the account to be erased.',
  'user.disabled': 'An administrator disabled the user.',
  'user.enabled': 'An administrator enabled the user again.',
  'user.erased': 'Everything held about the user was removed.',
  'user.exported': 'The user took a copy of everything held about them.',
  'user.merge_refused': 'Two users were not merged: WeChat takes them for two people.',
  'user.merged': 'Another user was merged into this one.',
  'user.phone_removed': 'The phone number was forgotten.',
  'user.phone_verified': 'WeChat verified the phone number.',
  'user.role_assigned': 'The user got a role.',
  'user.role_removed': 'The user lost a role.',
  'user.signed_up': 'A new person signed in for the first time.',
  'user.updated': 'Columns of the user were changed; `detail` names them.',
  'webhook.replay_refused': 'A push had a signature of WeChat that another message had used.',
} as const;

/** See `auditActions`. */
export type AuditAction = keyof typeof auditActions;
