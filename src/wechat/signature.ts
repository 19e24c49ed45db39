import { createHash } from 'node:crypto';
import { constantTimeEqual } from '../crypto/hash.js';

/** What WeChat signs with: the Token of the server configuration, and the query's own timestamp and nonce. */
export interface SignedQuery {
  readonly token: string;
  readonly timestamp: string;
  readonly nonce: string;
}

/**
 * `signature` of a push or handshake; with the ciphertext, `msg_signature`. The plain one does not cover the body, so it
 * proves nothing about a message.
 */
export function signatureOf({ token, timestamp, nonce }: SignedQuery, encrypted?: string): string {
  const parts = [token, timestamp, nonce, ...(encrypted === undefined ? [] : [encrypted])];
  // By code unit, as WeChat sorts: a ciphertext may begin with "+", before every digit.
  const sorted = parts.sort((left, right) => (left < right ? -1 : Number(left > right)));
  return createHash('sha1').update(sorted.join(''), 'utf8').digest('hex');
}

/** True when the signature is WeChat's: 40 lower-case hex digits, compared in constant time. */
export function isSignature(signature: string, signed: SignedQuery, encrypted?: string): boolean {
  return /^[0-9a-f]{40}$/.test(signature) && constantTimeEqual(signatureOf(signed, encrypted), signature);
}
