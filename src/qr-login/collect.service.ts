import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { toErrorCode, errorCatalogue, IamError, type IamErrorCode } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { TokenGrant, type GrantCaller, type OpenStepProof } from '../oauth/registration.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { type BegunSession, Redemption } from '../sign-in/redemption.service.js';
import type { Consent, Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { type QrLogin, qrStateOf, type QrState, isSameLink, linkOf } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';
import { POLL_SECONDS } from './qr-start.service.js';
import { LoginWatch } from './login-watch.service.js';

/** The scanner of a login, and whether they still follow: the confirmation of a person who has left since still counts. */
interface ReadFollower {
  readonly subject: Subject;
  readonly follows: boolean;
}

/** Turns the openid of a confirmed scan into a user. */
@Injectable()
export class ScannerResolver {
  private readonly running = new SingleFlight<void>();

  constructor(
    private readonly follows: QrLogins,
    private readonly gateway: WechatGateway,
    private readonly users: Users,
  ) {}

  /** Resolves the follower of a confirmed login, whose row then says `authenticated`; parallel polls share the work. */
  async identify(login: QrLogin, provider: IdentityProvider, consent?: Consent): Promise<void> {
    if (login.status === 'authenticated') return;
    const record = this.follows.recordOf(login, consent);
    await this.running.run(login.id, () =>
      this.unlessRefused(login, async () => {
        const { subject } = await this.read(login, provider);
        await this.users.resolve(subject, { signUp: provider.signUp, record });
      }),
    );
  }

  /** Runs `work` for the follower. A refusal of this person ends the login; what failed for another reason may be tried again. */
  async unlessRefused<T>(login: QrLogin, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const error = toIamError(thrown);
      if (errorCatalogue[error.code].status < 500) await this.follows.fail(login, error.code);
      throw error;
    }
  }

  /** What WeChat knows of the follower: the unionid is in no event, so it is fetched before anything is linked. */
  async read(login: QrLogin, provider: IdentityProvider): Promise<ReadFollower> {
    const { mp, slug, unionScope } = provider;
    if (mp?.appid !== login.appid)
      throw new IamError('provider_misconfigured', `"${slug}" has another Official Account by now`);
    if (login.openid === null) throw new IamError('internal_error', 'a scanned login has its scanner');
    const { openid } = login;
    const { follows, unionid } = await this.gateway.readFollower(mp, openid);
    const app = { provider: slug, appKind: 'mp', appid: mp.appid } as const;
    return { subject: { ...app, openid, unionScope, unionid, profile: null, follows }, follows };
  }
}

/** The proof that an Open Platform step goes on from a confirmed scan (`qr_login_with = open`). */
@Injectable()
export class FollowProof implements OpenStepProof {
  constructor(
    private readonly follows: QrLogins,
    private readonly follower: ScannerResolver,
    private readonly tokens: LoginTokens,
    private readonly attempts: AttemptCookies,
    private readonly urls: IamUrls,
  ) {}

  /** The authorization request that goes on to the Open Platform; `parameters` are what only the client knows. */
  authorizeUri(login: QrLogin, parameters: Readonly<Record<string, string>> = {}): string {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: login.client_id,
      ...parameters,
      code_challenge_method: 'S256',
      provider: login.provider,
      method: 'open',
      follow_proof: this.tokens.mint('follow-proof', login.id),
    });
    return this.urls.endpoint(`authorize?${query.toString()}`);
  }

  /**
   * The login that a proof names: confirmed, live, a sign-in, of this provider and client, and of this browser where our own
   * page showed its QR code. An `mp` row has no such step, and its proof costs no read.
   * @throws IamError `follow_required`
   */
  async check(
    proof: string,
    { provider, clientId, cookies }: Parameters<OpenStepProof['check']>[1],
  ): Promise<string | undefined> {
    if (provider.qr.loginWith !== 'open') return undefined;
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
    { loginId, link }: Parameters<OpenStepProof['consume']>[0],
    provider: IdentityProvider,
    subject: Subject,
  ): Promise<void> {
    const login = await this.follows.find(loginId);
    if (login === null || !isConfirmed(login)) throw new IamError('follow_required', 'the scan is over');
    if (!isSameLink(linkOf(login), link))
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

function isConfirmed(login: QrLogin): boolean {
  return login.status === 'confirmed' && qrStateOf(login) === 'confirmed';
}

/** Clients are never punctual to the millisecond. */
const TOO_SOON_MS = POLL_SECONDS * 500;

const parameters = { device_code: z.string().min(1).max(256) };

/** The `device_code` grant (RFC 8628 §3.4): polled until the phone has confirmed, then collected once. */
@TokenGrant({
  type: 'urn:ietf:params:oauth:grant-type:device_code',
  parameters,
  errors: ['authorization_pending', 'slow_down', 'expired_token', 'interaction_required', 'follow_required'],
})
export class DeviceCodeGrant implements TokenGrant {
  constructor(
    private readonly watch: LoginWatch,
    private readonly follower: ScannerResolver,
    private readonly providers: IdentityProviders,
    private readonly redemption: Redemption,
    private readonly tokens: LoginTokens,
    private readonly proof: FollowProof,
    private readonly failures: FailureLimits,
  ) {}

  /** @throws IamError `authorization_pending`, `slow_down`, `expired_token`, `access_denied`, `interaction_required`, … */
  async redeem(
    { device_code }: z.infer<z.ZodObject<typeof parameters>>,
    { client: { id: clientId }, request: { origin } }: GrantCaller,
  ): Promise<BegunSession> {
    const loginId = this.tokens.read('device-code', device_code);
    if (loginId === null) this.failures.countForgery(origin);
    const login = loginId === null ? null : await this.watch.current(loginId);
    // A login of the sign-in page ends in a code that PKCE protects; here nothing would ask for the verifier.
    const isOfClient = login?.client_id === clientId && login.redirect_uri === null;
    if (!isOfClient || linkOf(login) !== undefined)
      throw new IamError('invalid_grant', 'not a device code of this client');
    this.requireConfirmed(login);
    const provider = await this.providers.getEnabled(login.provider);
    // A person who typed the code has taken that step already.
    if (login.status !== 'authenticated' && provider.qr.loginWith === 'open')
      throw new IamError('interaction_required', 'the row asks for the Open Platform step', {
        members: { authorize_uri: this.proof.authorizeUri(login) },
      });
    await this.follower.identify(login, provider);
    this.watch.forget(login.id);
    return this.redemption.redeemProven(login.id, origin).finally(() => this.watch.forget(login.id));
  }

  private requireConfirmed(login: QrLogin): void {
    const state = qrStateOf(login);
    const poll = () =>
      this.watch.sinceLastPoll(login.id) < TOO_SOON_MS ? 'slow_down' : 'authorization_pending';
    const errors: Readonly<Record<QrState, (() => IamErrorCode) | null>> = {
      pending: poll,
      scanned: poll,
      confirmed: null,
      denied: () => 'access_denied',
      expired: () => 'expired_token',
      failed: () => toErrorCode(login.error),
      done: () => 'invalid_grant',
    };
    const code = errors[state]?.();
    if (code !== undefined) throw new IamError(code, `the device authorization: ${state}`);
  }
}
