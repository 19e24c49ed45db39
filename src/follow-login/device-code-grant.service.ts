import { Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamError, toErrorCode } from '../errors/iam.error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { followStateOf, linkOf, type FollowLogin } from './follow-login.js';
import { LoginWatch } from './login-watch.service.js';
import { Redemption, type BegunSession } from '../sign-in/redemption.service.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { FollowerResolver } from './follower-resolver.service.js';
import { POLL_SECONDS } from './follow-start.service.js';
import { FollowTokens } from './follow-tokens.service.js';

/** Clients are never punctual to the millisecond. */
const TOO_SOON_MS = POLL_SECONDS * 500;

/** The `device_code` grant (RFC 8628 §3.4): polled until the phone has confirmed, then collected once. */
@Injectable()
export class DeviceCodeGrant {
  constructor(
    private readonly watch: LoginWatch,
    private readonly follower: FollowerResolver,
    private readonly providers: IdentityProviders,
    private readonly redemption: Redemption,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
  ) {}

  /** Whether this is a device code that we issued, whatever became of it. */
  isOurs(deviceCode: string): boolean {
    return this.tokens.read('device-code', deviceCode) !== null;
  }

  /** @throws IamError `authorization_pending`, `slow_down`, `expired_token`, `access_denied`, `interaction_required`, … */
  async collect(deviceCode: string, clientId: string, origin: RequestOrigin): Promise<BegunSession> {
    const loginId = this.tokens.read('device-code', deviceCode);
    const login = loginId === null ? null : await this.watch.current(loginId);
    // A login of the sign-in page ends in a code that PKCE protects; here nothing would ask for the verifier.
    const isOfClient = login?.client_id === clientId && login.redirect_uri === null;
    if (!isOfClient || linkOf(login) !== undefined)
      throw new IamError('invalid_grant', 'not a device code of this client');
    this.requireConfirmed(login);
    const provider = await this.providers.getEnabled(login.provider);
    // Who typed the code has been through that step already.
    if (login.status !== 'authenticated' && provider.qr.loginWith === 'open')
      throw this.interactionRequired(login);
    await this.follower.identify(login, provider);
    this.watch.forget(login.id);
    return this.redemption.redeemProven(login.id, origin).finally(() => this.watch.forget(login.id));
  }

  private requireConfirmed(login: FollowLogin): void {
    const state = followStateOf(login);
    switch (state) {
      case 'confirmed':
        return;
      case 'pending':
      case 'scanned':
        throw new IamError(
          this.watch.sinceLastPoll(login.id) < TOO_SOON_MS ? 'slow_down' : 'authorization_pending',
          state,
        );
      case 'denied':
        throw new IamError('access_denied', 'denied on the phone');
      case 'expired':
        throw new IamError('expired_token', 'the QR code has expired');
      case 'failed':
        throw new IamError(toErrorCode(login.error), 'the login failed');
      case 'done':
        throw new IamError('invalid_grant', 'the device code was used');
    }
  }

  /** The client adds what only it knows: `redirect_uri`, `state` and `code_challenge`. */
  private interactionRequired(login: FollowLogin): IamError {
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: login.client_id,
      provider: login.provider,
      method: 'open',
      follow_proof: this.tokens.mint('follow-proof', login.id),
      code_challenge_method: 'S256',
    });
    return new IamError('interaction_required', 'the row asks for the Open Platform step', {
      members: { authorize_uri: this.urls.endpoint(`authorize?${parameters.toString()}`) },
    });
  }
}
