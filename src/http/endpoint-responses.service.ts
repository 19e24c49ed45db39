import { Injectable } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { ExternalContextCreator } from '@nestjs/core';
import { RouteParamsFactory } from '@nestjs/core/router/route-params-factory.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { isIamResponse } from './iam-response.js';
import { writeResponse } from './response-writer.js';
import { ErrorResponder } from './error-responder.service.js';
import type { IamRoute } from './iam-routes.service.js';
import { whileAnswering } from './incoming.decorator.js';
import { claim } from './own-requests.js';

type Handle = () => Promise<unknown>;

/** Answers a request to one of our endpoints, once, whatever the host has around it. */
@Injectable()
export class EndpointResponses {
  private readonly logger = new IamLogger('IamErrors');
  private readonly parameters = new RouteParamsFactory();
  private readonly bypassed = new Set<IamRoute>();

  constructor(
    private readonly responder: ErrorResponder,
    private readonly contexts: ExternalContextCreator,
  ) {}

  /** Neither the answer nor an error goes back to the caller. Does nothing where somebody answers already. */
  async give(request: object, response: unknown, handle: Handle): Promise<void> {
    if (claim(request, response)) await this.answer(request, response, handle);
  }

  /**
   * For when Nest is through with a request. Guards have admitted it, and still an interceptor of the host has answered in
   * our place, say from a cache, so that the handler was not called: it is now.
   */
  async giveUnlessGiven(route: IamRoute, request: object, response: unknown): Promise<void> {
    if (!claim(request, response)) return;
    if (!this.bypassed.has(route))
      this.logger.warn(
        `an interceptor of the application does not let ${route.method} ${route.pattern} through; what it answered is not sent`,
      );
    this.bypassed.add(route);
    await this.answer(request, response, () => this.handlerOf(route)(request));
  }

  private async answer(request: object, response: unknown, handle: Handle): Promise<void> {
    try {
      const answer = await whileAnswering(request, handle);
      if (!isIamResponse(answer)) throw new TypeError('the handler of an endpoint returned no IamResponse');
      writeResponse(response, answer);
    } catch (error) {
      this.responder.respond(error, request, response);
    }
  }

  /** The handler with its pipes and parameters, without guards, interceptors and filters. Global pipes get no response. */
  private handlerOf({ controller, handler, name }: IamRoute): (request: object) => Promise<unknown> {
    const exchangeKeyForValue = (
      type: Parameters<RouteParamsFactory['exchangeKeyForValue']>[0],
      data: string,
      [req]: [object],
    ): unknown =>
      this.parameters.exchangeKeyForValue(type, data, { req, res: undefined, next: () => undefined });
    return this.contexts.create(
      controller,
      handler,
      name,
      ROUTE_ARGS_METADATA,
      { exchangeKeyForValue },
      undefined,
      undefined,
      { guards: false, interceptors: false, filters: false },
    );
  }
}
