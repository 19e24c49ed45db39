import {
  applyDecorators,
  Controller,
  Res,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { handlersOf, registerController } from '../http/endpoint.decorator.js';
import { ResponseInterceptor } from '../http/endpoint-responses.service.js';
import { EndpointFilter } from '../http/iam-error.filter.js';
import { pathAsGiven } from '../http/zod.pipe.js';
import { IamGuard } from './iam.guard.js';

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

/** Endpoints for signed-in users. */
export const UserController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(IamGuard), IamController(path));

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
