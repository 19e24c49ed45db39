import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { Attempt } from '../sign-in/sealed-attempt.js';
import { AttemptCookies } from '../oauth/attempt-cookies.service.js';

/** The attempts of the module's own pages: sealed cookies, so only the browser that started one has it. */
@Injectable()
export class FollowAttempts {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly cookies: AttemptCookies,
    private readonly clock: Clock,
  ) {}

  /** The attempt of a state. @throws IamError `state_mismatch`, or `state_expired` for one kept longer than a browser would */
  get(state: string, { cookies }: IamRequest): Attempt {
    const attempt = this.cookies.find(state, cookies);
    if (attempt?.method !== 'follow')
      throw new IamError('state_mismatch', 'this browser has no such attempt');
    if (this.secondsLeft(attempt) < 1)
      throw new IamError('state_expired', 'the attempt was started too long ago');
    return attempt;
  }

  /** Whole seconds until the attempt ends. */
  secondsLeft({ startedAt }: Attempt): number {
    return Math.floor((startedAt - this.clock.now()) / 1000) + this.options.loginLifetime;
  }
}
