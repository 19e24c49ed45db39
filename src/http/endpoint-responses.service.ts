import {
  applyDecorators,
  Controller,
  Injectable,
  Res,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
  UseFilters,
  UseInterceptors,
  UsePipes,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { ExternalContextCreator } from '@nestjs/core';
import { RouteParamsFactory } from '@nestjs/core/router/route-params-factory.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { isRecord } from '../errors/unknown.js';
import { ENDPOINT, type EndpointDescription, handlersOf, registerController } from './endpoint.decorator.js';
import { EndpointFilter, ErrorResponder } from './iam-error.filter.js';
import {
  Created,
  empty,
  isIamResponse,
  json,
  Tagged,
  type IamResponse,
  writeResponse,
} from './iam-response.js';
import type { IamRoute } from './iam-routes.service.js';
import { IamUrls } from './iam-urls.service.js';
import { claim } from './raw-http.js';
import { pathAsGiven, whileAnswering } from './parameter.decorators.js';
import { lastValueFrom, type Observable, of } from 'rxjs';

/** A request to one of our endpoints, and the method of its controller. */
interface EndpointCall {
  readonly request: object;
  readonly response: unknown;
  readonly handler: object;
}

/** Responds to requests for our endpoints, once each, whatever interceptors the host has around them. */
@Injectable()
export class EndpointResponses {
  private readonly logger = new IamLogger('IamErrors');
  private readonly parameters = new RouteParamsFactory();
  private readonly bypassed = new Set<IamRoute>();

  constructor(
    private readonly responder: ErrorResponder,
    private readonly contexts: ExternalContextCreator,
    private readonly urls: IamUrls,
  ) {}

  /** Returns neither the value nor an error to the caller. Does nothing when the response is claimed already. */
  async give(call: EndpointCall, handle: () => Promise<unknown>): Promise<void> {
    if (claim(call.request, call.response)) await this.respond(call, handle);
  }

  /**
   * Runs after Nest has finished the request. When the guards have admitted it and an interceptor of the host has returned a
   * value of its own, say from a cache, the handler has not been called: it is called now.
   */
  async giveUnlessClaimed(route: IamRoute, request: object, response: unknown): Promise<void> {
    if (!claim(request, response)) return;
    if (!this.bypassed.has(route))
      this.logger.warn(
        `an interceptor of the application does not let ${route.method} ${route.pattern} through; what it answered is not sent`,
      );
    this.bypassed.add(route);
    await this.respond({ request, response, handler: route.handler }, () => this.handlerOf(route)(request));
  }

  private async respond(
    { request, response, handler }: EndpointCall,
    handle: () => Promise<unknown>,
  ): Promise<void> {
    try {
      const returned = await whileAnswering(request, handle);
      writeResponse(response, isIamResponse(returned) ? returned : this.toResponse(returned, handler));
    } catch (error) {
      this.responder.respond(error, request, response);
    }
  }

  /** A plain value as JSON, with the headers that belong to it. */
  private toResponse(returned: unknown, handler: object): IamResponse {
    const isCreated = returned instanceof Created;
    const value: unknown = isCreated ? returned.value : returned;
    const plain: unknown = value instanceof Tagged ? value.value : value;
    const etag = isRecord(value) ? value['etag'] : undefined;
    const status = isCreated ? 201 : statusOf(plain, handler);
    const headers = {
      ...(typeof etag === 'string' && { ETag: etag }),
      ...(isCreated && returned.path !== null && { Location: this.urls.endpoint(returned.path) }),
    };
    return plain === undefined || plain === null ? empty(status, headers) : json(plain, status, headers);
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

/** The first status of success that the route describes for a value like this: with a body, or without. */
function statusOf(value: unknown, handler: object): number {
  const { responses } = Reflect.getMetadata(ENDPOINT, handler) as EndpointDescription;
  const isEmpty = value === undefined || value === null;
  const status = Object.entries(responses)
    .filter(([, schema]) => (schema === null) === isEmpty)
    .map(([name]) => Number(name))
    .find((number) => number < 300);
  if (status === undefined)
    throw new TypeError(`the endpoint describes no response ${isEmpty ? 'without' : 'with'} a body`);
  return status;
}

/**
 * The innermost interceptor of our endpoints: writes what the handler returns or throws. The interceptors around it, which
 * are the host's, then see one `undefined`: nothing to cache, to wrap or to catch.
 */
@Injectable()
export class ResponseInterceptor implements NestInterceptor {
  constructor(private readonly responses: EndpointResponses) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<undefined>> {
    const http = context.switchToHttp();
    const call = {
      request: http.getRequest<object>(),
      response: http.getResponse<unknown>(),
      handler: context.getHandler(),
    };
    await this.responses.give(call, () => lastValueFrom(next.handle()));
    return of(undefined);
  }
}

/** The key under which `CacheInterceptor` of `@nestjs/cache-manager` finds how to name what it keeps; no name, no cache. */
const CACHE_KEY = 'cache_module:cache_key';

/** What every controller of ours has, so that none can forget it; `path` is below the option `path`. */
export const IamController = (path = '/'): ClassDecorator =>
  applyDecorators(
    Controller({ path, version: VERSION_NEUTRAL }),
    UseFilters(EndpointFilter),
    UseInterceptors(ResponseInterceptor),
    UsePipes(pathAsGiven),
    (controller: object) => {
      if (!isClass(controller)) return;
      registerController(controller);
      keepResponsesToItself(controller);
    },
  );

/** Endpoints for everybody. */
export const PublicController = IamController;

/**
 * A handler with a `@Res()` writes its response itself, as Nest sees it: what comes out of the interceptors is not sent.
 * The parameter stands behind those that the handler declares.
 */
function keepResponsesToItself(controller: Type): void {
  for (const { name, handler } of handlersOf(controller)) {
    Res()(controller.prototype as object, name, handler.length);
    Reflect.defineMetadata(CACHE_KEY, () => undefined, handler);
  }
}

function isClass(value: object): value is Type {
  return typeof value === 'function';
}
