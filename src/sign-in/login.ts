import type { AuditEntry } from '../audit/record-audit.js';
import { constantTimeEqual } from '../crypto/hash.js';
import type { Mac } from '../crypto/key-ring.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Subject } from '../users/subject.js';
import type { Resolution } from '../users/users.service.js';

/** What a login starts from: an `Attempt` that a browser carried, or the code of a mini program or mobile app. */
export interface LoginStart {
  readonly provider: string;
  readonly method: string;
  readonly appid: string;
  readonly clientId: string;
  readonly state?: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  /** The session that links another identity by it; absent for a sign-in. */
  readonly link?: ActingSession | undefined;
}

/** Whom WeChat proved. Without a user, `subject` waits to be bound. */
export interface ProvenPerson {
  readonly userId: string | null;
  readonly isNewUser: boolean;
  /** JSON. */
  readonly subject: string | null;
}

/** The audit entry of a login that ended, well or with an error. */
export function auditOfLogin(start: LoginStart, error?: IamErrorCode): AuditEntry {
  const { method, appid, clientId, provider, link } = start;
  const failed = link === undefined ? 'login.failed' : 'identity.link_refused';
  return {
    ...link,
    action: error === undefined ? 'login.authenticated' : failed,
    clientId,
    provider,
    detail: { method, appid, ...(error !== undefined && { error }) },
  };
}

/** Whom WeChat proved, as a login keeps it. */
export function provenPerson(subject: Subject, resolution: Resolution): ProvenPerson {
  return resolution.kind === 'user'
    ? { userId: resolution.userId, isNewUser: resolution.isNewUser, subject: null }
    : { userId: null, isNewUser: false, subject: JSON.stringify(subject) };
}

const form = /^([0-9a-f]{8})\.([0-9a-f-]{36})\.([\w-]{43})$/;

/**
 * A one-time code or binding token: a MAC over the login's id. It is never stored, and a second callback of the same
 * browser gets the very same code. Use is limited by the row's status, not by the text.
 */
export function mintLoginToken(mac: Mac, loginId: string): string {
  const tag = mac.sign(loginId);
  if (tag === null) throw new TypeError('the signing key is always configured');
  return `${mac.keyId}.${loginId}.${tag}`;
}

/** The login's id, or null when the text was not issued by us for this purpose. */
export function readLoginToken(mac: Mac, text: string): string | null {
  const [, keyId, loginId, tag] = form.exec(text) ?? [];
  if (keyId === undefined || loginId === undefined || tag === undefined) return null;
  const expected = mac.sign(loginId, keyId);
  return expected !== null && constantTimeEqual(expected, tag) ? loginId : null;
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
