import { sha256 } from './hash.js';

const verifierForm = /^[A-Za-z0-9._~-]{43,128}$/;

/** The S256 code challenge of a verifier (RFC 7636 4.2). */
export function pkceChallenge(verifier: string): string {
  return sha256(verifier);
}

/** True for a verifier of the length and alphabet that RFC 7636 4.1 demands. */
export function isPkceVerifier(verifier: string): boolean {
  return verifierForm.test(verifier);
}
