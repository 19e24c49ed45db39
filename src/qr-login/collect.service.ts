import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Forgeries } from '../database/forgeries.service.js';
import { toErrorCode, errorCatalogue, IamError, type IamErrorCode } from '../errors/iam.error.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { requireAllowed } from '../oauth/clients/clients.service.js';
import { TokenGrant, type GrantCaller } from '../oauth/registration.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { requestParameters } from '../sign-in/login.js';
import { type BegunSession, Redemption } from '../sign-in/redemption.service.js';
import type { Consent, Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { DEVICE_CODE, type QrLogin, qrStateOf, type QrState, linkOf } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';
import { POLL_SECONDS } from './qr-start.service.js';
import { LoginWatch } from './login-watch.service.js';
import { QrWays } from './qr-way.js';

/** Turns the person of a confirmed scan into a user. */
@Injectable()
export class ScannerResolver {
  private readonly running = new SingleFlight<void>();

  constructor(
    private readonly logins: QrLogins,
    private readonly ways: QrWays,
    private readonly users: Users,
  ) {}

  /** Resolves the scanner of a confirmed login, whose row then says `authenticated`; parallel polls share the work. */
  async identify(login: QrLogin, provider: IdentityProvider, consent?: Consent): Promise<void> {
    if (login.status === 'authenticated') return;
    const record = this.logins.recordOf(login, consent);
    await this.running.run(login.id, () =>
      this.unlessRefused(login, async () => {
        const subject = await this.read(login, provider);
        await this.users.resolve(subject, { signUp: provider.signUp, record });
      }),
    );
  }

  /** The person who has confirmed, by the app of the login: the row may have another one by now. */
  async read(login: QrLogin, provider: IdentityProvider): Promise<Subject> {
    const way = this.ways.get(login.method);
    if (way.appOf(provider)?.appid !== login.appid)
      throw new IamError('provider_misconfigured', `"${provider.slug}" has another app by now`);
    return way.readScanner(login, provider);
  }

  /**
   * Runs `work` for the scanner. A refusal of this person ends the login, and so does an error of ours or of a hook, which the host would
   * be asked into again at each poll; what failed for another reason may be tried again.
   */
  async unlessRefused<T>(login: QrLogin, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const error = toIamError(thrown);
      if (errorCatalogue[error.code].status < 500 || error.code === 'internal_error')
        await this.logins.fail(login, error.code);
      throw error;
    }
  }
}

/** Clients are never punctual to the millisecond. */
const TOO_SOON_MS = POLL_SECONDS * 500;

const parameters = { device_code: z.string().min(1).max(256) };

/** The `device_code` grant (RFC 8628 §3.4): polled until the phone has confirmed, then collected once. */
@TokenGrant({
  type: DEVICE_CODE,
  parameters,
  errors: ['authorization_pending', 'slow_down', 'expired_token', 'interaction_required', 'follow_required'],
})
export class DeviceCodeGrant implements TokenGrant {
  constructor(
    private readonly watch: LoginWatch,
    private readonly scanners: ScannerResolver,
    private readonly providers: IdentityProviders,
    private readonly redemption: Redemption,
    private readonly tokens: LoginTokens,
    private readonly ways: QrWays,
    private readonly forgeries: Forgeries,
  ) {}

  /** @throws IamError `authorization_pending`, `slow_down`, `expired_token`, `access_denied`, `interaction_required`, … */
  async redeem(
    { device_code }: z.infer<z.ZodObject<typeof parameters>>,
    { client, request: { origin }, replaces, bounds }: GrantCaller,
  ): Promise<BegunSession> {
    const loginId = this.tokens.read('device-code', device_code);
    if (loginId === null) this.forgeries.count(origin);
    const login = loginId === null ? null : await this.watch.current(loginId);
    // A login of the sign-in page ends in a code that PKCE protects; here nothing would ask for the verifier.
    const isOfClient = login?.client_id === client.id && login.redirect_uri === null;
    // What began before belongs to an earlier application with this id.
    const isOfEarlier = isOfClient && client.since !== null && login.created_at < client.since;
    if (!isOfClient || isOfEarlier || linkOf(login) !== undefined)
      throw new IamError('invalid_grant', 'not a device code of this client');
    requireAllowed(client, { provider: login.provider });
    this.requireConfirmed(login);
    const provider = await this.providers.getEnabled(login.provider);
    // A person who typed the code has signed in already.
    const nextStep =
      login.status === 'authenticated'
        ? null
        : this.ways
            .get(login.method)
            .nextStep?.(login, provider, requestParameters({ scope: login.scope ?? undefined }));
    if (nextStep != null)
      throw new IamError('interaction_required', 'the row asks for the Open Platform step', {
        members: { authorize_uri: nextStep },
      });
    await this.scanners.identify(login, provider).finally(() => this.watch.forget(login.id));
    return this.redemption
      .redeemProven(login.id, { origin, replaces, bounds })
      .finally(() => this.watch.forget(login.id));
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
