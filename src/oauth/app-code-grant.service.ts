import { Injectable } from '@nestjs/common';
import { failureOf, toIamError } from '../http/to-iam-error.js';
import { readAuthorizationCode } from '../wechat/authorization-code.js';
import { IamError } from '../iam.error.js';
import type { LoginStart } from '../logins/login-start.js';
import { Logins } from '../logins/logins.service.js';
import { Redemption, type BegunSession } from '../logins/redemption.service.js';
import { FailureLimits } from '../rate-limits/failure-limits.service.js';
import type { RequestOrigin } from '../request-context.js';
import { AppCodes, type AppCodeKind, type CodeApp } from '../strategies/app-codes.service.js';
import { Users } from '../users/users.service.js';

/** A code that WeChat gave to an app, and who hands it in. */
export interface AppCode {
  readonly kind: AppCodeKind;
  readonly provider: string;
  readonly clientId: string;
  readonly code: string;
}

/** The extension grants of mini programs and mobile apps: same claim, resolution, policy and session as every other way. */
@Injectable()
export class AppCodeGrant {
  constructor(
    private readonly codes: AppCodes,
    private readonly logins: Logins,
    private readonly users: Users,
    private readonly redemption: Redemption,
    private readonly failures: FailureLimits,
  ) {}

  /** @throws IamError `wechat_mini_not_configured`, `wechat_mobile_not_configured`, `code_already_used`, a `wechat_…` code, … */
  async grant(
    { kind, provider: slug, clientId, code }: AppCode,
    origin: RequestOrigin,
  ): Promise<BegunSession> {
    if (readAuthorizationCode(code) === null) throw new IamError('access_denied', 'refused in WeChat');
    const app = await this.codes.appOf(slug, kind);
    const { appid } = app.app;
    const start: LoginStart = { provider: slug, method: kind, appid, clientId };
    const by = { origin, at: appid, provider: slug, clientId };
    return this.failures.guard(by, { ofThrown: failureOf }, async () => {
      const loginId = await this.logins.claimAppCode(start, code, origin);
      if (loginId === null) throw new IamError('code_already_used', 'this code was handed in before');
      await this.signIn({ loginId, start, app, code });
      return this.redemption.redeemProven(loginId, origin);
    });
  }

  private async signIn({ loginId, start, app, code }: ClaimedCode): Promise<void> {
    try {
      const subject = await this.codes.exchange(app, code);
      await this.users.resolve(subject, {
        signUp: app.provider.signUp,
        record: (executor, resolution) =>
          this.logins.authenticate(executor, loginId, { subject, resolution, attempt: start }),
      });
    } catch (thrown) {
      const error = toIamError(thrown);
      await this.logins.fail(loginId, error.code, start);
      throw error;
    }
  }
}

/** A code that only this request may exchange. */
interface ClaimedCode {
  readonly loginId: string;
  readonly start: LoginStart;
  readonly app: CodeApp;
  readonly code: string;
}
