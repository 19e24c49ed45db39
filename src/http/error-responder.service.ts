import { Inject, Injectable } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { correlationId, runInContext } from '../runtime/request-context.js';
import { writeResponse } from './response-writer.js';
import { oauthError, pageOrProblem } from './error-responses.js';
import { readRequest } from './iam-request.js';
import { IamRoutes } from './iam-routes.service.js';
import { logFailure } from './log-failure.js';
import { findOAuthEndpoint } from './oauth-endpoints.js';
import { toIamError } from './to-iam-error.js';

/** Answers what was thrown while one of our endpoints was at work, and logs it once under the id that the answer carries. */
@Injectable()
export class ErrorResponder {
  private readonly logger = new IamLogger('IamErrors');

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly routes: IamRoutes,
    private readonly application: ApplicationConfig,
  ) {}

  /** RFC 6749 §5.2 on the OAuth endpoints, a page for a navigation, else RFC 9457. */
  respond(thrown: unknown, request: unknown, response: unknown): void {
    const error = toIamError(thrown, this.globalGuards());
    const id = correlationId();
    runInContext(() => logFailure(this.logger, error), { correlationId: id });
    const read = readRequest(request);
    const endpoint = findOAuthEndpoint(this.routes.at(read.path)[0]?.endpoint ?? null);
    const answer =
      endpoint === null
        ? pageOrProblem(error, { request: read, correlationId: id, site: this.options })
        : oauthError(error, endpoint);
    writeResponse(response, answer);
  }

  private globalGuards(): string[] {
    const guards = this.application.getGlobalGuards().map((guard) => guard.constructor.name);
    return [...guards, ...this.application.getGlobalRequestGuards().map(({ name }) => String(name))];
  }
}
