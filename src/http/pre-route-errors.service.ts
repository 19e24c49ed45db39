import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ErrorResponder } from './error-responder.service.js';
import { findAdapter } from './host-router.js';
import { readRequest } from './iam-request.js';
import { IamRoutes } from './iam-routes.service.js';
import { claim } from './own-requests.js';
import { isClientError } from './to-iam-error.js';

/**
 * On Express the host's body parsers and the router's decoding of paths come before our filters. What they refuse on our
 * paths is answered here as our own errors are; every other error goes on to the host's filters.
 */
@Injectable()
export class PreRouteErrors implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly routes: IamRoutes,
    private readonly responder: ErrorResponder,
  ) {}

  /** Now the routes are there and Nest's own error handler is not yet. */
  onModuleInit(): void {
    const httpAdapter = findAdapter(this.adapterHost);
    if (httpAdapter?.getType() !== 'express') return;
    // Express tells an error handler by its four parameters.
    httpAdapter.use((error: unknown, request: unknown, response: unknown, next: (error: unknown) => void) => {
      const isOurs = isClientError(error) && this.routes.at(readRequest(request).path).length > 0;
      if (!isOurs) next(error);
      else if (claim(request, response)) this.responder.respond(error, request, response);
    });
  }
}
