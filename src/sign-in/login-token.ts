import { constantTimeEqual } from '../crypto/hash.js';
import type { Mac } from '../crypto/key-ring.js';

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
