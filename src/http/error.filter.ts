import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { IamLogger } from '../iam-logger.js';
import type { IamError } from '../iam.error.js';
import { correlationId, runInContext } from '../request-context.js';
import type { Answer } from './answer.js';
import { AnswerWriter } from './answer-writer.js';
import { oauthError, pageOrProblem } from './error-answers.js';
import { readRequest, type IamRequest } from './iam-request.js';
import { logFailure } from './log-failure.js';
import { toIamError } from './to-iam-error.js';

/** Answers everything thrown in our controllers, and logs it once under the correlation id that the answer carries. */
@Injectable()
abstract class ErrorFilter implements ExceptionFilter {
  private readonly logger = new IamLogger('IamErrors');

  constructor(private readonly writer: AnswerWriter) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.respond(thrown, http.getRequest(), http.getResponse());
  }

  /** The same for what was thrown before Nest had chosen a controller. */
  respond(thrown: unknown, request: unknown, response: unknown): void {
    const error = toIamError(thrown);
    const id = correlationId();
    runInContext(() => logFailure(this.logger, error), { correlationId: id });
    if (!this.writer.isSent(response))
      this.writer.write(response, this.answer(error, readRequest(request), id));
  }

  protected abstract answer(error: IamError, request: IamRequest, id: string): Answer;
}

/** RFC 9457, or a page for a navigation. */
@Catch()
@Injectable()
export class ProblemFilter extends ErrorFilter {
  protected answer(error: IamError, request: IamRequest, id: string): Answer {
    return pageOrProblem(error, request, id);
  }
}

/** RFC 6749 §5.2, on `/token` and `/revoke`. */
@Catch()
@Injectable()
export class OAuthErrorFilter extends ErrorFilter {
  protected answer(error: IamError): Answer {
    return oauthError(error);
  }
}
