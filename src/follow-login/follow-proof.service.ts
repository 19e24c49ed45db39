import { Injectable } from '@nestjs/common';
import type { IamRequest } from '../http/iam-request.js';
import { IamError } from '../errors/iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { followStateOf, linkOf, type FollowLogin } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { AttemptCookies } from '../oauth/attempt-cookies.service.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Subject } from '../users/subject.js';
import { FollowTokens } from './follow-tokens.service.js';
import { FollowerResolver } from './follower-resolver.service.js';

/** The scan that an Open Platform step goes on from, and who links an identity by both. */
export interface FollowedScan {
  readonly loginId: string;
  readonly link: ActingSession | undefined;
}

/** The proof that an Open Platform step goes on from a confirmed scan (`qr_login_with = open`). */
@Injectable()
export class FollowProof {
  constructor(
    private readonly follows: FollowLogins,
    private readonly follower: FollowerResolver,
    private readonly tokens: FollowTokens,
    private readonly attempts: AttemptCookies,
  ) {}

  /**
   * The login that a proof names: confirmed, live, a sign-in, of this provider and client, and of this browser where our own
   * page showed its QR code.
   * @throws IamError `follow_required`
   */
  async check(
    proof: string,
    provider: IdentityProvider,
    clientId: string,
    { cookies }: IamRequest,
  ): Promise<string> {
    const loginId = this.tokens.read('follow-proof', proof);
    const login = loginId === null ? null : await this.follows.find(loginId);
    const isOfRequest = login?.provider === provider.slug && login.client_id === clientId;
    const isOfBrowser = login?.attempt_hash == null || this.attempts.holds(login.attempt_hash, cookies);
    if (!isOfRequest || !isOfBrowser || !isConfirmed(login) || linkOf(login) !== undefined)
      throw new IamError('follow_required', 'no confirmed scan stands behind this step');
    return login.id;
  }

  /** Takes the proof, once, for the person who followed, and for what they followed for. @throws IamError `follow_required` */
  async consume(
    { loginId, link }: FollowedScan,
    provider: IdentityProvider,
    subject: Subject,
  ): Promise<void> {
    const login = await this.follows.find(loginId);
    if (login === null || !isConfirmed(login)) throw new IamError('follow_required', 'the scan is over');
    const scannedFor = linkOf(login);
    if (scannedFor?.userId !== link?.userId || scannedFor?.sessionId !== link?.sessionId)
      throw new IamError('follow_required', 'the scan was for another purpose');
    const { subject: follower, follows } = await this.follower.read(login, provider);
    if (!follows) throw new IamError('follow_required', 'the scanner does not follow any more');
    if (!isSamePerson(follower, subject))
      throw new IamError(
        'follow_required',
        'not the person who followed, as far as unionids tell: are both apps bound to one Open Platform account?',
      );
    if (!(await this.follows.consume(loginId))) throw new IamError('follow_required', 'the proof was used');
  }
}

/** Only a unionid tells: two sides that show none have nothing in common. */
function isSamePerson(follower: Subject, subject: Subject): boolean {
  return follower.unionid !== null && follower.unionid === subject.unionid;
}

function isConfirmed(login: FollowLogin): boolean {
  return login.status === 'confirmed' && followStateOf(login) === 'confirmed';
}
