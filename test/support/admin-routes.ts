import '../../src/index.js';
import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ENDPOINT, type EndpointDescription, iamControllers } from '../../src/http/endpoint.decorator.js';

/** A route of the admin API as the code declares it. */
export interface AdminRoute {
  readonly method: string;
  /** What follows `/iam/admin/`, with values that name nothing. */
  readonly path: string;
  /** As the controller writes it. */
  readonly pattern: string;
  readonly permission: string | undefined;
}

/** Every route of every admin controller, so that a new one is covered by itself. */
export function adminRoutes(): AdminRoute[] {
  return iamControllers.flatMap((controller) => {
    const base = textOf(PATH_METADATA, controller);
    return base.startsWith('admin') ? routesOf(controller, base) : [];
  });
}

function routesOf(controller: Type, base: string): AdminRoute[] {
  const members = Object.values(Object.getOwnPropertyDescriptors(controller.prototype));
  return members
    .map((member): unknown => member.value)
    .filter((handler) => typeof handler === 'function')
    .filter((handler) => Reflect.hasMetadata(METHOD_METADATA, handler))
    .map((handler) => {
      const pattern = `${base}/${textOf(PATH_METADATA, handler)}`.replace(/^admin\/|\/+$/g, '');
      const endpoint = Reflect.getMetadata(ENDPOINT, handler) as EndpointDescription | undefined;
      return {
        method: RequestMethod[Number(Reflect.getMetadata(METHOD_METADATA, handler))] ?? '',
        pattern,
        path: pattern.replace(/:(\w+)/g, (_all, name: string) => valueOf(name)),
        permission: endpoint?.permission,
      };
    });
}

function valueOf(parameter: string): string {
  return /id$/i.test(parameter) ? '0198c0de-0000-7000-8000-000000000000' : 'nobody';
}

function textOf(key: string, target: object): string {
  const text: unknown = Reflect.getMetadata(key, target);
  if (typeof text !== 'string') throw new Error(`a route with several paths: teach ${import.meta.filename}`);
  return text;
}
