import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { ErrorResponder } from './error-responder.service.js';
import { claim } from './own-requests.js';

/**
 * Answers what guards and the host's interceptors throw on our endpoints; a filter of the controller comes before all
 * global ones of the host. What an interceptor throws while the endpoint is at work, such as its time limit, is dropped.
 */
@Catch()
@Injectable()
export class EndpointFilter implements ExceptionFilter {
  constructor(private readonly responder: ErrorResponder) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, response] = [http.getRequest<unknown>(), http.getResponse<unknown>()];
    if (claim(request, response)) this.responder.respond(thrown, request, response);
  }
}
