import '../../src/index.js';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { iamControllers } from '../../src/http/endpoint.decorator.js';

/** A route as docs/reference/endpoints.md writes it: `GET /iam/callback/{provider}`; without those of the pages, which some tests import. */
export function mountedRoutes(): string[] {
  const controllers = iamControllers.filter((controller) => !pathOf(controller).startsWith('ui/'));
  return controllers.flatMap((controller) => {
    const base = pathOf(controller);
    const prototype: unknown = controller.prototype;
    return Object.values(Object.getOwnPropertyDescriptors(prototype))
      .map((member): unknown => member.value)
      .filter((handler) => typeof handler === 'function')
      .filter((handler) => Reflect.hasMetadata(METHOD_METADATA, handler))
      .map((handler) => `${methodOf(handler)} ${join('iam', base, pathOf(handler))}`);
  });
}

function pathOf(target: object): string {
  const path: unknown = Reflect.getMetadata(PATH_METADATA, target);
  if (typeof path !== 'string') throw new Error('a route with several paths: teach this test');
  return path;
}

function methodOf(handler: object): string {
  const method: unknown = Reflect.getMetadata(METHOD_METADATA, handler);
  return typeof method === 'number' ? (RequestMethod[method] ?? '') : '';
}

function join(...parts: readonly string[]): string {
  const segments = parts.flatMap((part) => part.split('/')).filter((segment) => segment !== '');
  return `/${segments.join('/')}`.replace(/:(\w+)/g, '{$1}');
}
