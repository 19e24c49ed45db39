import { Inject, Injectable } from '@nestjs/common';
import { Mac } from '../crypto/key-ring.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { FollowLogin } from './follow-login.js';

/** RFC 8628 §6.1: no vowels, so no words, and nothing that looks like something else. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ';
const LENGTH = 8;
const form = new RegExp(`^[${letters}]{${LENGTH}}$`);

/** The code as people type it: in small letters or full width, with blanks and dashes. Null for what is none. */
export function readUserCode(text: string): string | null {
  const typed = text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\p{P}\p{S}\p{Z}\p{C}\p{M}]/gu, '');
  return form.test(typed) ? typed : null;
}

/** As a device shows it: `WDJB-MJHT`. */
export function showUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/** The codes of device authorizations: derived from their ids, and stored as MACs, since 35 bits of a plain hash are soon tried. */
@Injectable()
export class UserCodes {
  private readonly codes: Mac;
  private readonly hashes: Mac;

  constructor(@Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions) {
    this.codes = new Mac(keyRing, 'user-code');
    this.hashes = new Mac(keyRing, 'user-code-hash');
  }

  /** The code of a new login, and what its row keeps of it. */
  create(loginId: string): { readonly code: string; readonly hash: string } {
    const code = this.derive(loginId, this.codes.keyId);
    return { code, hash: this.hashes.sign(code) ?? '' };
  }

  /** What a row may keep of a code, under every key that is configured. */
  hashesOf(code: string): string[] {
    return this.hashes.keyIds.map((keyId) => this.hashes.sign(code, keyId) ?? '');
  }

  /** The code of a login; null for one that has none, or whose key is gone. */
  of({ id, user_code_hash: hash }: Pick<FollowLogin, 'id' | 'user_code_hash'>): string | null {
    if (hash === null) return null;
    const codes = this.codes.keyIds.map((keyId) => this.derive(id, keyId));
    return codes.find((code) => this.hashesOf(code).includes(hash)) ?? null;
  }

  private derive(loginId: string, keyId: string): string {
    const bytes = Buffer.from(this.codes.sign(loginId, keyId) ?? '', 'base64url').subarray(0, LENGTH);
    return Array.from(bytes, (byte) => letters.charAt(byte % letters.length)).join('');
  }
}
