import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IamError } from '../errors/iam.error.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { correlationId, runInContext } from '../runtime/request-context.js';
import { pageOrProblem } from './error-responses.js';
import { readRequest } from './iam-request.js';
import { logFailure } from './log-failure.js';

/**
 * For the host's own routes: what our services throw there is answered as on ours, through the host's platform with its
 * hooks. Everything else is the host's.
 */
@Catch(IamError)
@Injectable()
export class IamErrorFilter implements ExceptionFilter {
  private readonly logger = new IamLogger('IamErrors');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: IamError, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapterHost;
    const response = host.switchToHttp().getResponse<unknown>();
    const id = correlationId();
    runInContext(() => logFailure(this.logger, error), { correlationId: id });
    if (httpAdapter.isHeadersSent(response) === true) return;
    const request = readRequest(host.switchToHttp().getRequest());
    const answer = pageOrProblem(error, { request, correlationId: id, site: null });
    for (const [name, value] of Object.entries({ ...answer.headers, 'X-Request-Id': id }))
      httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, answer.body ?? '', answer.status);
  }
}
