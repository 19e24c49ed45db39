import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { empty, json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/zod.pipe.js';
import { failureOf } from '../http/to-iam-error.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { UserSessions, actingSession } from '../sessions/user-sessions.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { forgetPhoneNumber, keepPhoneNumber } from '../users/change-user.js';

/** The code that the button `open-type="getPhoneNumber"` of a mini program gives. */
export const phoneBody = z.object({
  provider: z.string().min(1).max(63),
  code: z
    .string()
    .regex(/^[\x21-\x7e]{1,512}$/)
    .meta({ description: 'Of the button `getPhoneNumber`, not of `wx.login`' }),
});

/** The number that WeChat has verified. */
export const phoneResponse = z.object({ phone_number: z.string(), phone_verified_at: z.iso.datetime() });

/** `/me/phone_number`: an attribute that WeChat has verified. It is never used to find, sign in or join anybody (security 61). */
@Injectable()
export class PhoneNumbers {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly codes: AppCodes,
    private readonly gateway: WechatGateway,
    private readonly sessions: UserSessions,
    private readonly failures: FailureLimits,
  ) {}

  /**
   * The session must have begun in that mini program: its openid goes to WeChat with the code, so that nobody adds the
   * number of somebody else who gave them a code.
   * @throws IamError `insufficient_permissions` for a session of another app, a `wechat_…` code, …
   */
  async verify({ body, origin }: IamRequest, user: AuthenticatedUser): Promise<IamResponse> {
    const { provider: slug, code } = parseInput(phoneBody, body);
    const { app } = await this.codes.appOf(slug, 'mini');
    const acting = actingSession(user);
    const { appid, openid } = await this.sessions.getSubject(acting);
    if (appid !== app.appid)
      throw new IamError('insufficient_permissions', 'the session did not begin in this mini program');
    const each = { origin, at: appid, provider: slug, clientId: user.clientId };
    const phoneNumber = await this.failures.guard(each, { ofThrown: failureOf }, () =>
      this.gateway.readPhoneNumber(app, code, openid),
    );
    const verifiedAt = await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      const { userId, sessionId } = acting;
      const by = { provider: slug, sessionId, clientId: user.clientId, detail: { appid } };
      return keepPhoneNumber(manager, userId, { ...by, phoneNumber });
    });
    return json({ phone_number: phoneNumber, phone_verified_at: verifiedAt.toISOString() });
  }

  async forget(user: AuthenticatedUser): Promise<IamResponse> {
    const acting = actingSession(user);
    const { userId, sessionId } = acting;
    await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      await forgetPhoneNumber(manager, userId, { sessionId, clientId: user.clientId });
    });
    return empty(204);
  }
}
