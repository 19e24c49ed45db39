import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of bytes or of UTF-8 text, in base64url: the form in which single-use values are stored. */
export function sha256(value: string | Uint8Array): string {
  return hash('sha256', value, 'base64url');
}

/** Equality in time that depends on neither content nor common prefix; strings of any lengths may be compared. */
export function constantTimeEqual(left: string, right: string): boolean {
  return timingSafeEqual(digest(left), digest(right));
}

function digest(text: string): Buffer {
  return hash('sha256', Buffer.from(text, 'utf16le'), 'buffer');
}

const verifierForm = /^[A-Za-z0-9._~-]{43,128}$/;

/** The S256 code challenge of a verifier (RFC 7636 4.2). */
export function pkceChallenge(verifier: string): string {
  return sha256(verifier);
}

/** True for a verifier of the length and alphabet that RFC 7636 4.1 demands. */
export function isPkceVerifier(verifier: string): boolean {
  return verifierForm.test(verifier);
}
