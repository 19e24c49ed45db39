import { RequestMethod, type Type } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, GUARDS_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js';
import { ApiTags } from '@nestjs/swagger';
import { AdminGuard } from '../admin/admin.guard.js';
import { OAuthErrorFilter } from '../http/error.filter.js';
import { IamGuard } from '../http/iam.guard.js';
import { ENDPOINT, type EndpointDescription } from '../http/endpoint.decorator.js';
import { REQUIRED_RECENT_SIGN_IN } from '../http/requirements.decorator.js';
import { iamControllers } from '../composition/controllers.js';
import { describeEndpoint } from './describe-endpoint.js';
import type { Access, RouteDescription } from './route-description.js';

let isDescribed = false;

/**
 * Describes every endpoint of the module to `@nestjs/swagger`, by the schemas that validate it: call it before
 * `SwaggerModule.createDocument`. The descriptions name the security schemes `iam` (bearer) and `iam-cookie`.
 */
export function describeIam(): void {
  if (isDescribed) return;
  isDescribed = true;
  for (const controller of iamControllers) {
    ApiTags(tagOf(controller))(controller);
    for (const { name, handler } of routesOf(controller)) {
      describeEndpoint(controller.prototype, name, descriptionOf(controller, handler));
    }
  }
}

interface Route {
  readonly name: string;
  readonly handler: object;
}

function routesOf(controller: Type): Route[] {
  const members = Object.entries(Object.getOwnPropertyDescriptors(controller.prototype as object));
  return members
    .map(([name, { value }]): [string, unknown] => [name, value])
    .filter((member): member is [string, object] => typeof member[1] === 'function')
    .filter(([, handler]) => Reflect.hasMetadata(METHOD_METADATA, handler))
    .map(([name, handler]) => ({ name, handler }));
}

function descriptionOf(controller: Type, handler: object): RouteDescription {
  const description = Reflect.getMetadata(ENDPOINT, handler) as EndpointDescription | undefined;
  if (description === undefined) throw new TypeError(`a route of ${controller.name} has no @Endpoint()`);
  const access = accessOf(controller, handler);
  const isOAuth = has(EXCEPTION_FILTERS_METADATA, [controller, handler], OAuthErrorFilter);
  const isRecent = [controller, handler].some((target) =>
    Reflect.hasMetadata(REQUIRED_RECENT_SIGN_IN, target),
  );
  const isGet = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.GET;
  return {
    ...description,
    errors: [...(description.errors ?? []), ...(isRecent ? (['recent_sign_in_required'] as const) : [])],
    access,
    errorForm: isOAuth ? 'oauth' : 'problem',
    isNavigation:
      (isGet && access === 'everybody') || Object.values(description.answers).includes('text/html'),
  };
}

/** Who may call a route, as its guards say. */
function accessOf(controller: Type, handler: object): Access {
  const targets = [controller, handler];
  if (has(GUARDS_METADATA, targets, AdminGuard)) return 'administrators';
  return has(GUARDS_METADATA, targets, IamGuard) ? 'users' : 'everybody';
}

function has(
  metadata: string,
  targets: readonly object[],
  type: Type<unknown> | typeof OAuthErrorFilter,
): boolean {
  return targets.some((target) => {
    const used: unknown = Reflect.getMetadata(metadata, target);
    return Array.isArray(used) && used.includes(type);
  });
}

/** `MeController` → `IAM: me`. */
function tagOf({ name }: Type): string {
  const words = name.replace(/Controller$/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  return `IAM: ${words.toLowerCase()}`;
}
