import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { ErrorResponder } from './error-responder.service.js';

/** For the host's own routes: what our services throw there is answered as on ours. Everything else is the host's. */
@Catch(IamError)
@Injectable()
export class IamErrorFilter implements ExceptionFilter {
  constructor(private readonly responder: ErrorResponder) {}

  catch(thrown: IamError, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.responder.respond(thrown, http.getRequest(), http.getResponse());
  }
}
