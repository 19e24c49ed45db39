import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { logFailure } from '../http/error-responses.js';
import type { IamRequest } from '../http/iam-request.js';
import { redirect, type IamResponse } from '../http/iam-response.js';
import { failureOf, toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { setActor } from '../runtime/request-context.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { inSpan, setSpanAttributes } from '../runtime/telemetry.service.js';
import { type Attempt, AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { CodeExchange, redirectAppOf } from '../sign-in/code-exchange.service.js';
import { FailureLimits, type Refund } from '../sign-in/failure-limits.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { Logins, type LoginOutcome } from '../sign-in/logins.service.js';
import { Users } from '../users/users.service.js';
import { readAuthorizationCode } from '../wechat/authorize-url.js';
import { ClientReturns, type WayBack } from './client-returns.service.js';
import { Clients } from './clients/clients.service.js';
import { SignInMethods } from './registration.js';
import { SingleSignOn } from './single-sign-on.service.js';

const stateForm = /^[A-Za-z0-9]{32,64}$/;

/** `GET /callback/{provider}`: where WeChat returns. Without the browser's own cookie for the state, nothing happens. */
@Injectable()
export class Callback {
  private readonly logger = new IamLogger(Callback.name);
  /** Callbacks under way in this process: WeChat and impatient people send the same one twice. */
  private readonly running = new SingleFlight<LoginOutcome>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clients: Clients,
    private readonly returns: ClientReturns,
    private readonly singleSignOn: SingleSignOn,
    private readonly providers: IdentityProviders,
    private readonly codes: CodeExchange,
    private readonly cookies: AttemptCookies,
    private readonly logins: Logins,
    private readonly users: Users,
    private readonly links: IdentityLinks,
    private readonly methods: SignInMethods,
    private readonly clock: Clock,
    private readonly failures: FailureLimits,
  ) {}

  /** The attempt of this browser, its outcome, back to the client. */
  async finish(slug: string, request: IamRequest): Promise<IamResponse> {
    const attempt = this.openAttempt(slug, request);
    this.clients.requireReturn(attempt);
    const { state, provider, method } = attempt;
    const outcome = await this.running.run(state, () =>
      inSpan('iam.callback', { 'iam.provider': provider, 'iam.method': method }, async () => {
        const ended = await this.reachOutcome(attempt, request).catch((thrown: unknown) =>
          this.settle(thrown, attempt),
        );
        setSpanAttributes({ 'iam.outcome': ended.kind === 'error' ? ended.code : ended.kind });
        return ended;
      }),
    );
    return this.returnToClient(attempt, outcome, request);
  }

  /** State, cookie and path must name the same attempt (RFC 9700 §4.4, §4.7). */
  private openAttempt(slug: string, { query, cookies }: IamRequest): RedirectAttempt {
    const { state } = query;
    if (typeof state !== 'string' || !stateForm.test(state))
      throw new IamError('state_mismatch', 'state is not of our form');
    const attempt = this.cookies.find(state, cookies);
    if (attempt === null || !isRedirect(attempt))
      throw new IamError('state_mismatch', 'this browser has no attempt with that state');
    if (attempt.provider !== slug)
      throw new IamError('state_mismatch', 'the attempt was started at another provider');
    if (Array.isArray(query['code'])) throw new IamError('invalid_request', 'code was sent more than once');
    return attempt;
  }

  /** Age, refusal, claim: each step either is the outcome or leads to the next. */
  private async reachOutcome(attempt: RedirectAttempt, request: IamRequest): Promise<LoginOutcome> {
    const { appid: at, clientId, link } = attempt;
    const { origin } = request;
    if (this.clock.now() > attempt.startedAt + this.options.loginLifetime * 1000)
      throw new IamError('state_expired', 'the sign-in was started too long ago');
    if (link !== undefined) setActor(`user:${link.userId}`, link.sessionId);
    const by = { origin, at, provider: attempt.provider, clientId };
    const code = readAuthorizationCode(request.query['code']);
    if (code === null)
      return this.failures.guard(by, failures, () => this.refuse(attempt, 'access_denied', request));
    const provider = await this.providers.getEnabled(attempt.provider);
    if (link === undefined) this.clients.require(clientId, { provider: attempt.provider });
    return this.failures.guardClaim(by, failures, {
      claim: (tiers) => this.logins.claim(attempt, code, origin, tiers),
      work: (loginId, refund) =>
        loginId === null
          ? this.outcomeOfEarlier(attempt, request)
          : this.exchange({ loginId, provider, attempt, code }, refund).catch((thrown: unknown) =>
              this.settle(thrown, attempt, loginId),
            ),
    });
  }

  /** The claimed code: exchange, proof of the follow, then link or sign in. */
  private async exchange(
    { loginId, provider, attempt, code }: ClaimedLogin,
    refund: Refund,
  ): Promise<LoginOutcome> {
    const { followLoginId, link } = attempt;
    const record = this.logins.recordOf(loginId, attempt, refund);
    const isDecided = followLoginId === undefined && link === undefined;
    const proven = await this.codes.exchange(
      redirectAppOf(provider, attempt),
      code,
      isDecided ? record : undefined,
    );
    const { subject, holder } = proven;
    if (followLoginId !== undefined)
      await this.methods.openStep().consume({ loginId: followLoginId, link }, provider, subject);
    if (link !== undefined) {
      const { id } = await this.links.finish(
        { subject, link, clientId: attempt.clientId },
        (manager, linked) => this.logins.recordLink(manager, { ...linked, loginId }),
      );
      return { kind: 'linked', identityId: id };
    }
    const { kind, isRecorded } = await this.users.resolve(subject, {
      signUp: provider.signUp,
      holder,
      record,
    });
    // The row decides: the login had ended, or the response to an earlier try was lost.
    const outcome: LoginOutcome = isRecorded
      ? { kind: 'code', loginId, binds: kind === 'bind' }
      : await this.logins.awaitOutcome(attempt.state);
    refund.isDone = outcome.kind === 'code';
    return outcome;
  }

  private async outcomeOfEarlier(attempt: RedirectAttempt, request: IamRequest): Promise<LoginOutcome> {
    const earlier = await this.logins.findEarlier(attempt);
    if (earlier === 'claimed_before') return this.logins.awaitOutcome(attempt.state);
    return this.refuse(attempt, 'code_already_used', request);
  }

  private async refuse(
    attempt: RedirectAttempt,
    error: 'access_denied' | 'code_already_used',
    { origin }: IamRequest,
  ): Promise<LoginOutcome> {
    const isFirst = await this.logins.refuse(attempt, error, origin);
    return isFirst ? { kind: 'error', code: error } : this.logins.awaitOutcome(attempt.state);
  }

  /**
   * Where an error becomes the outcome. That of a claimed login is final, and the row decides:
   * a connection lost around COMMIT may have left it authenticated.
   */
  private async settle(thrown: unknown, attempt: RedirectAttempt, loginId?: string): Promise<LoginOutcome> {
    const error = toIamError(thrown);
    const step = loginId === undefined ? 'callback of' : 'sign-in at';
    logFailure(this.logger, error, `${step} "${attempt.provider}":`);
    if (loginId === undefined) return { kind: 'error', code: error.code };
    await this.logins.fail(loginId, error.code, attempt);
    return this.logins.awaitOutcome(attempt.state);
  }

  private async returnToClient(
    attempt: RedirectAttempt,
    outcome: LoginOutcome,
    request: IamRequest,
  ): Promise<IamResponse> {
    const binds = outcome.kind === 'code' && outcome.binds;
    const cookies = this.cookies[binds ? 'finishForBinding' : 'finish'](attempt.state, request.cookies);
    if (outcome.kind === 'code') {
      const arrived = this.singleSignOn.arrive({ loginId: outcome.loginId, attempt, request });
      const back = await arrived.catch((thrown: unknown) => this.refuseArrival(thrown, attempt));
      return redirect(back.location, 303, [...cookies, ...back.cookies]);
    }
    if (outcome.kind === 'error')
      return redirect(this.returns.failureLocation(attempt, outcome.code), 303, cookies);
    return redirect(this.returns.linkedLocation(attempt, outcome.identityId), 303, cookies);
  }

  private refuseArrival(thrown: unknown, attempt: RedirectAttempt): WayBack {
    const error = toIamError(thrown);
    logFailure(this.logger, error, `return to "${attempt.clientId}":`);
    return { location: this.returns.failureLocation(attempt, error.code), cookies: [] };
  }
}

/** A sign-in that failed has an outcome too, which the client gets. */
const failures = {
  ofThrown: failureOf,
  ofResult: (outcome: LoginOutcome) => (outcome.kind === 'error' ? outcome.code : null),
};

/** An attempt that goes through WeChat's pages; a scan never comes back by this way. */
type RedirectAttempt = Attempt & { readonly method: 'open' | 'mp' };

function isRedirect(attempt: Attempt): attempt is RedirectAttempt {
  return attempt.method === 'open' || attempt.method === 'mp';
}

/** A callback that only this process may finish. */
interface ClaimedLogin {
  readonly loginId: string;
  readonly provider: IdentityProvider;
  readonly attempt: RedirectAttempt;
  readonly code: string;
}
