import {
  applyDecorators,
  Controller,
  Res,
  SetMetadata,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { ResponseInterceptor } from '../http/endpoint-responses.service.js';
import { EndpointFilter } from '../http/iam-error.filter.js';
import { handlersOf, IAM_CONTROLLER } from '../http/endpoint.decorator.js';
import { IamGuard } from './iam.guard.js';
import { pathAsGiven } from '../http/zod.pipe.js';
import { Public } from '../http/access-policy.decorator.js';

/** The key under which `CacheInterceptor` of `@nestjs/cache-manager` finds how to name what it keeps; no name, no cache. */
const CACHE_KEY = 'cache_module:cache_key';

/** Every controller of ours that is loaded: all of them once `IamModule` is. */
export const iamControllers: Type<unknown>[] = [];

/** What every controller of ours has, so that none can forget it; `path` is below the option `path`. */
export const IamController = (path = '/'): ClassDecorator =>
  applyDecorators(
    SetMetadata(IAM_CONTROLLER, true),
    Controller({ path, version: VERSION_NEUTRAL }),
    UseFilters(EndpointFilter),
    UseInterceptors(ResponseInterceptor),
    UsePipes(pathAsGiven),
    keepAnswersToItself,
  );

/** Endpoints for everybody. */
export const PublicController = (path?: string): ClassDecorator =>
  applyDecorators(Public(), IamController(path));

/** Endpoints for signed-in users. */
export const UserController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(IamGuard), IamController(path));

/**
 * A handler with a `@Res()` writes its response itself, as Nest sees it: what comes out of the interceptors is not sent.
 * The parameter stands behind those that the handler declares.
 */
function keepAnswersToItself(controller: object): void {
  if (!isClass(controller)) return;
  iamControllers.push(controller);
  for (const { name, handler } of handlersOf(controller)) {
    Res()(controller.prototype as object, name, handler.length);
    Reflect.defineMetadata(CACHE_KEY, () => undefined, handler);
  }
}

function isClass(value: object): value is Type<unknown> {
  return typeof value === 'function';
}
