import { Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import { failureOf } from '../http/to-iam-error.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { actingSession, UserSessions } from '../sessions/user-sessions.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { forgetPhoneNumber, keepPhoneNumber } from '../users/change-user.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';

/** A number that WeChat has verified: an attribute, by which no user is found, signed in or merged (security 61). */
@Injectable()
export class PhoneNumbers {
  constructor(
    private readonly codes: AppCodes,
    private readonly gateway: WechatGateway,
    private readonly sessions: UserSessions,
    private readonly failures: FailureLimits,
  ) {}

  /**
   * Takes the code that the button `open-type="getPhoneNumber"` of the mini program of a provider row gives. The session must
   * have begun in that mini program: its openid goes to WeChat with the code, so that a code of another
   * person adds no number.
   * @throws IamError `insufficient_permissions` for a session of another app, a `wechat_…` code, …
   */
  async verify(
    { provider, code }: { readonly provider: string; readonly code: string },
    user: AuthenticatedUser,
    origin: RequestOrigin,
  ): Promise<{ phone_number: string; phone_verified_at: string }> {
    const { app } = await this.codes.appOf(provider, 'mini');
    const acting = actingSession(user);
    const { appid, openid } = await this.sessions.getSubject(acting);
    if (appid !== app.appid)
      throw new IamError('insufficient_permissions', 'the session did not begin in this mini program');
    const { clientId } = user;
    const by = { origin, at: appid, provider, clientId };
    const phoneNumber = await this.failures.guard(by, { ofThrown: failureOf }, () =>
      this.gateway.readPhoneNumber(app, code, openid),
    );
    const { userId, sessionId } = acting;
    const verifiedAt = await this.sessions.act(acting, (manager) =>
      keepPhoneNumber(manager, userId, { phoneNumber, provider, sessionId, clientId, detail: { appid } }),
    );
    return { phone_number: phoneNumber, phone_verified_at: verifiedAt.toISOString() };
  }

  async forget(user: AuthenticatedUser): Promise<void> {
    const acting = actingSession(user);
    const { userId, sessionId } = acting;
    await this.sessions.act(acting, (manager) =>
      forgetPhoneNumber(manager, userId, { sessionId, clientId: user.clientId }),
    );
  }
}
