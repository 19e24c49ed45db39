import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Mac } from '../crypto/key-ring.js';
import { mintLoginToken, readLoginToken } from '../sign-in/login.js';
import type { QrLogin } from './qr-login.js';

/** RFC 8628 §6.1: no vowels, so no words, and nothing that looks like something else. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ';
const LENGTH = 8;
const form = new RegExp(`^[${letters}]{${LENGTH}}$`);

/** Wrong numbers that end a login. */
export const NUMBER_TRIES = 3;
/** Digits of the number that the PC shows. */
export const NUMBER_DIGITS = 4;
/** More digits are a telephone number or an order number, not a number of ours. */
const MOST_DIGITS = 8;

/** The code as people type it: in small letters or full width, with blanks and dashes. Null for a text that is no code. */
export function readUserCode(text: string): string | null {
  const typed = withoutMarks(text).toUpperCase();
  return form.test(typed) ? typed : null;
}

/** As a device shows it: `WDJB-MJHT`. */
export function showUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/**
 * The digits of a number as people type it: in full width, with spaces between, with a full stop behind. Null for a text that
 * has anything else in it.
 */
export function readTypedNumber(text: string): string | null {
  const digits = withoutMarks(text);
  return /^[0-9]+$/.test(digits) && digits.length <= MOST_DIGITS ? digits : null;
}

function withoutMarks(text: string): string {
  return text.normalize('NFKC').replace(/[\p{P}\p{S}\p{Z}\p{C}\p{M}]/gu, '');
}

/** The result of a typed number. */
export type UserCodeCheck = 'confirmed' | 'wrong' | 'denied';

/** The use of a token about a device authorization; it is valid for no other. */
type LoginTokenUse =
  /** Collect the sign-in: the `device_code`, which only the asking browser holds. */
  | 'device-code'
  /** Watch its state; may stand in a URL, since it collects nothing. */
  | 'watch'
  /** Open the confirm page; goes to the scanner's chat, and still the page asks WeChat who opens it. */
  | 'confirm'
  /** Name the login on the page where its code was typed; worth nothing without the cookie of that browser. */
  | 'device-page'
  /** Go on to the Open Platform QR code. */
  | 'follow-proof';

/**
 * Tokens that name a login and prove that we issued them, of which nothing is stored; and the codes of device authorizations:
 * derived from their ids, and stored as MACs, since 35 bits of a plain hash are soon tried.
 */
@Injectable()
export class LoginTokens {
  private readonly macs: Readonly<Record<LoginTokenUse | 'user-code' | 'user-code-hash', Mac>>;

  constructor(@Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions) {
    this.macs = {
      'device-code': new Mac(keyRing, 'device-code'),
      watch: new Mac(keyRing, 'login-watch'),
      confirm: new Mac(keyRing, 'login-confirm'),
      'device-page': new Mac(keyRing, 'device-page'),
      'follow-proof': new Mac(keyRing, 'follow-proof'),
      'user-code': new Mac(keyRing, 'user-code'),
      'user-code-hash': new Mac(keyRing, 'user-code-hash'),
    };
  }

  mint(use: LoginTokenUse, loginId: string): string {
    return mintLoginToken(this.macs[use], loginId);
  }

  /** The login's id, or null for a text we did not issue for this use. */
  read(use: LoginTokenUse, text: string): string | null {
    return readLoginToken(this.macs[use], text);
  }

  /** The MAC of a new login's user code, for its row. */
  hashOfNewCode(loginId: string): string {
    return this.macs['user-code-hash'].sign(codeOf(this.macs['user-code'].sign(loginId)));
  }

  /** The MACs of a user code that a row may hold, one for each configured key. */
  hashesOf(code: string): string[] {
    return this.macs['user-code-hash'].tags(code);
  }

  /** The user code of a login; null for one that has none, or whose key is gone. */
  userCodeOf({ id, user_code_hash: hash }: Pick<QrLogin, 'id' | 'user_code_hash'>): string | null {
    if (hash === null) return null;
    const codes = this.macs['user-code'].tags(id).map(codeOf);
    return codes.find((code) => this.hashesOf(code).includes(hash)) ?? null;
  }
}

function codeOf(tag: string): string {
  const bytes = Buffer.from(tag, 'base64url').subarray(0, LENGTH);
  return Array.from(bytes, (byte) => letters.charAt(byte % letters.length)).join('');
}
