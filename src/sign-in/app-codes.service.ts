import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IamError, type IamErrorCode, providerErrors, wechatErrors } from '../errors/iam.error.js';
import { failureOf, toIamError } from '../http/to-iam-error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { SessionKeys } from '../identity-providers/session-keys.service.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { LinkedIdentity } from '../users/link-subject.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { readAuthorizationCode } from '../wechat/authorize-url.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { CodeExchange, type CodeApp } from './code-exchange.service.js';
import { FailureLimits, type Refund } from './failure-limits.service.js';
import { IdentityLinks } from './identity-links.service.js';
import type { AuthorizationRequest, LoginStart } from './login.js';
import { Logins } from './logins.service.js';
import { Redemption, type BegunSession } from './redemption.service.js';

/** What an app code, a provider row or WeChat may fail with, for descriptions. */
export const appCodeErrors = [
  ...providerErrors,
  'wechat_mini_not_configured',
  'rate_limited',
  ...wechatErrors,
  'wechat_user_restricted',
] as const satisfies IamErrorCode[];

/** The code of a mini program's phone button, for bodies. */
export const phoneCode = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/)
  .meta({ description: 'Of the button `getPhoneNumber`, not of `wx.login`' });

/** The apps that get their code from WeChat by themselves. */
export type AppCodeKind = 'mini' | 'mobile';

/** A code that WeChat gave to an app, and the client that sends it. */
interface AppCode {
  readonly kind: AppCodeKind;
  readonly provider: string;
  readonly clientId: string;
  readonly code: string;
  /** Of a mini program's phone button, for a sign-in that brings a number. */
  readonly phoneCode?: string | undefined;
  readonly request?: AuthorizationRequest | undefined;
}

/** A code that no other request can exchange. */
interface ClaimedCode {
  readonly app: CodeApp;
  readonly loginId: string;
  readonly start: LoginStart;
}

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
    private readonly sessionKeys: SessionKeys,
    private readonly gateway: WechatGateway,
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
    return this.claimed(code, { origin }, async ({ app, loginId, start }, refund) => {
      const record = this.logins.recordOf(loginId, start, refund);
      const { isRecorded } = await this.ending(loginId, start, async () => {
        const { subject, holder, sessionKey } = await this.codes.exchange(app, code.code, record);
        const phoneNumber = await this.findPhoneNumber(app, subject, code);
        const keeping = this.sessionKeys.recordedWith(record, loginId, sessionKey);
        const proven = { ...subject, phoneNumber };
        return this.users.resolve(proven, { signUp: app.provider.signUp, holder, record: keeping });
      });
      refund.isDone = isRecorded;
      const session = await this.redemption.redeemProven(loginId, { origin });
      // An earlier try, whose response was lost, has given the points back.
      refund.isDone = true;
      return session;
    });
  }

  /** Links the person of a code to a signed-in user. @throws IamError `identity_conflict`, `code_already_used`, … */
  async link(code: AppCode, link: ActingSession, origin: RequestOrigin): Promise<LinkedIdentity> {
    return this.claimed(code, { origin, link }, ({ app, loginId, start }) =>
      this.ending(loginId, start, async () => {
        const { subject, sessionKey } = await this.codes.exchange(app, code.code);
        return this.links.finish({ subject, link, clientId: code.clientId }, async (manager, linked) => {
          if (sessionKey !== undefined) await this.sessionKeys.keep(manager, loginId, sessionKey);
          return this.logins.recordLink(manager, { ...linked, loginId });
        });
      }),
    );
  }

  /** Before anything is stored: a code that is refused ends the sign-in. */
  private async findPhoneNumber(
    { app }: CodeApp,
    { openid }: Subject,
    { phoneCode: code }: AppCode,
  ): Promise<string | undefined> {
    return code === undefined ? undefined : this.gateway.readPhoneNumber(app, code, openid);
  }

  /** Claims the code, which `work` exchanges, and the points of the try. */
  private async claimed<T>(
    { kind, provider, clientId, code, request }: AppCode,
    { origin, link }: { readonly origin: RequestOrigin; readonly link?: ActingSession },
    work: (claimed: ClaimedCode, refund: Refund) => Promise<T>,
  ): Promise<T> {
    const app = await this.appOf(provider, kind);
    const { appid } = app.app;
    const start: LoginStart = { provider, method: kind, appid, clientId, request, link };
    return this.failures.guardClaim(
      { origin, at: appid, provider, clientId },
      { ofThrown: failureOf },
      {
        claim: (tiers) => this.logins.claim(start, code, origin, tiers),
        work: async (loginId, refund) =>
          loginId === null ? this.logins.refuseAppCode(start) : work({ app, loginId, start }, refund),
      },
    );
  }

  /** What fails once the code is claimed ends the login for good. */
  private async ending<T>(loginId: string, start: LoginStart, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const error = toIamError(thrown);
      await this.logins.fail(loginId, error.code, start);
      throw error;
    }
  }
}
