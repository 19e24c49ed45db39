import { Injectable } from '@nestjs/common';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { failureOf, toIamError } from '../http/to-iam-error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { LinkedIdentity } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { readAuthorizationCode } from '../wechat/authorize-url.js';
import { CodeExchange, type CodeApp, type ProvenSubject } from './code-exchange.service.js';
import { FailureLimits } from './failure-limits.service.js';
import { IdentityLinks } from './identity-links.service.js';
import type { LoginStart } from './login.js';
import { Logins } from './logins.service.js';
import { Redemption, type BegunSession } from './redemption.service.js';

/** What an app code, a provider row or WeChat may fail with, for descriptions. */
export const appCodeErrors = [
  'provider_not_found',
  'provider_disabled',
  'provider_misconfigured',
  'wechat_mini_not_configured',
  'rate_limited',
  'wechat_unavailable',
  'wechat_answer_invalid',
  'wechat_credentials_rejected',
  'wechat_ip_not_allowed',
  'wechat_quota_exceeded',
  'wechat_permission_missing',
  'wechat_user_restricted',
] as const satisfies IamErrorCode[];

/** The apps that get their code from WeChat by themselves. */
export type AppCodeKind = 'mini' | 'mobile';

/** A code that WeChat gave to an app, and the client that sends it. */
export interface AppCode {
  readonly kind: AppCodeKind;
  readonly provider: string;
  readonly clientId: string;
  readonly code: string;
}

/** What follows for the person whom a code has proved. */
type Finish<T> = (loginId: string, start: LoginStart, proven: ProvenSubject) => Promise<T>;

/** The codes of mini programs (`wx.login`) and mobile apps (Open SDK): same claim, exchange and resolution as a callback. */
@Injectable()
export class AppCodes {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly codes: CodeExchange,
    private readonly logins: Logins,
    private readonly users: Users,
    private readonly links: IdentityLinks,
    private readonly redemption: Redemption,
    private readonly failures: FailureLimits,
  ) {}

  /** @throws IamError `wechat_mini_not_configured`, `wechat_mobile_not_configured`, `provider_not_found`, … */
  async appOf(slug: string, kind: AppCodeKind): Promise<CodeApp> {
    const provider = await this.providers.getEnabled(slug);
    const app = provider[kind];
    if (app === null) throw new IamError(`wechat_${kind}_not_configured`, `"${slug}" has no ${kind} app`);
    return { provider, app };
  }

  /** Signs in by a code. @throws IamError `code_already_used`, a `wechat_…` code, … */
  async signIn(code: AppCode, origin: RequestOrigin): Promise<BegunSession> {
    if (readAuthorizationCode(code.code) === null) throw new IamError('access_denied', 'refused in WeChat');
    return this.guarded(code, origin, async (app) => {
      const resolve: Finish<string> = async (loginId, attempt, { subject, holder }) => {
        await this.users.resolve(subject, {
          signUp: app.provider.signUp,
          holder,
          record: (executor, resolution) =>
            this.logins.authenticate(executor, loginId, { subject, resolution, attempt }),
        });
        return loginId;
      };
      const loginId = await this.exchange(app, { code, origin }, resolve);
      return this.redemption.redeemProven(loginId, origin);
    });
  }

  /** Links the person of a code to a signed-in user. @throws IamError `identity_conflict`, `code_already_used`, … */
  async link(code: AppCode, link: ActingSession, origin: RequestOrigin): Promise<LinkedIdentity> {
    return this.guarded(code, origin, (app) =>
      this.exchange(app, { code, origin, link }, (loginId, { clientId }, { subject }) =>
        this.links.finish({ subject, link, clientId }, (manager, linked) =>
          this.logins.recordLink(manager, { ...linked, loginId }),
        ),
      ),
    );
  }

  private async guarded<T>(
    { kind, provider, clientId }: AppCode,
    origin: RequestOrigin,
    work: (app: CodeApp) => Promise<T>,
  ): Promise<T> {
    const app = await this.appOf(provider, kind);
    const by = { origin, at: app.app.appid, provider, clientId };
    return this.failures.guard(by, { ofThrown: failureOf }, () => work(app));
  }

  /** Claims the code and exchanges it once; what fails from then on ends the login for good. */
  private async exchange<T>(
    app: CodeApp,
    {
      code,
      origin,
      link,
    }: { readonly code: AppCode; readonly origin: RequestOrigin; readonly link?: ActingSession },
    finish: Finish<T>,
  ): Promise<T> {
    const { kind: method, provider, clientId } = code;
    const start: LoginStart = { provider, method, appid: app.app.appid, clientId, link };
    const loginId = await this.logins.claimAppCode(start, code.code, origin);
    if (loginId === null) throw new IamError('code_already_used', 'this code was sent before');
    try {
      return await finish(loginId, start, await this.codes.exchange(app, code.code));
    } catch (thrown) {
      const error = toIamError(thrown);
      await this.logins.fail(loginId, error.code, start);
      throw error;
    }
  }
}
