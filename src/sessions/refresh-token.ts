import { constantTimeEqual } from '../crypto/hash.js';
import type { Mac } from '../crypto/key-ring.js';

/** What a refresh token says: which session, and after how many rotations it was issued. */
export interface RefreshToken {
  readonly sessionId: string;
  readonly generation: number;
}

const form = /^([0-9a-f]{8})\.([0-9a-f-]{36})\.(\d{1,9})\.([\w-]{43})$/;

/**
 * The token is a MAC over session and generation, so nothing is stored that a database dump could reveal, and a lost
 * answer can be given again: the successor of a token is always the same.
 */
export function mintRefreshToken(mac: Mac, token: RefreshToken): string {
  return encode(mac, token, mac.keyId);
}

/** The token's content, or null when it was not issued by us. */
export function readRefreshToken(mac: Mac, text: string): RefreshToken | null {
  const [, keyId, sessionId, generation, tag] = form.exec(text) ?? [];
  if (keyId === undefined || sessionId === undefined || generation === undefined || tag === undefined)
    return null;
  const token = { sessionId, generation: Number(generation) };
  const expected = mac.sign(message(token), keyId);
  return expected !== null && constantTimeEqual(expected, tag) ? token : null;
}

function encode(mac: Mac, token: RefreshToken, keyId: string): string {
  const tag = mac.sign(message(token), keyId);
  if (tag === null) throw new TypeError('the signing key is always configured');
  return `${keyId}.${token.sessionId}.${token.generation}.${tag}`;
}

function message({ sessionId, generation }: RefreshToken): string {
  return `${sessionId}.${generation}`;
}
