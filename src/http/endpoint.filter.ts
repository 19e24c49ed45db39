import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { ErrorResponder } from './error-responder.service.js';

/** Answers everything thrown on our endpoints; a filter of the controller comes before all global ones of the host. */
@Catch()
@Injectable()
export class EndpointFilter implements ExceptionFilter {
  constructor(private readonly responder: ErrorResponder) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.responder.respond(thrown, http.getRequest(), http.getResponse());
  }
}
