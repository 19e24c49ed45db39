import { Inject, Injectable } from '@nestjs/common';
import { Mac } from '../crypto/key-ring.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { mintLoginToken, readLoginToken } from '../sign-in/login-token.js';

/** What a token about a device authorization allows; one is worthless for another. */
export type FollowTokenUse =
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

/** Tokens that name a login and prove that we issued them; nothing of them is stored. */
@Injectable()
export class FollowTokens {
  private readonly macs: Readonly<Record<FollowTokenUse, Mac>>;

  constructor(@Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions) {
    this.macs = {
      'device-code': new Mac(keyRing, 'device-code'),
      watch: new Mac(keyRing, 'login-watch'),
      confirm: new Mac(keyRing, 'login-confirm'),
      'device-page': new Mac(keyRing, 'device-page'),
      'follow-proof': new Mac(keyRing, 'follow-proof'),
    };
  }

  mint(use: FollowTokenUse, loginId: string): string {
    return mintLoginToken(this.macs[use], loginId);
  }

  /** The login's id, or null for a text we did not issue for this use. */
  read(use: FollowTokenUse, text: string): string | null {
    return readLoginToken(this.macs[use], text);
  }
}
