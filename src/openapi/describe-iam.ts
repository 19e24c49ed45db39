// The modules whose controllers are described: imported alone, this entry would find none.
import '../account/account.module.js';
import '../admin/admin.module.js';
import '../qr-login/qr-login.module.js';
import type { Type } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminGuard } from '../admin/admin.guard.js';
import {
  endpointsOf,
  guardsOf,
  iamControllers,
  type EndpointDeclaration,
  findOAuthEndpoint,
} from '../http/endpoint.decorator.js';
import { IamGuard } from '../sessions/iam.guard.js';
import { REQUIRED_RECENT_SIGN_IN } from '../http/access-policy.decorator.js';
import { describeEndpoint } from './describe-endpoint.js';
import type { Access, RouteDescription } from './error-responses.js';

/** Controllers of a module that is imported later, such as IamPagesModule, are described by the next call. */
const described = new Set<Type<unknown>>();

/**
 * Describes every endpoint of the module to `@nestjs/swagger`, by the schemas that validate it: call it before
 * `SwaggerModule.createDocument`. The descriptions name the security schemes `iam` (bearer) and `iam-cookie`.
 */
export function describeIam(): void {
  for (const controller of iamControllers) {
    if (described.has(controller)) continue;
    described.add(controller);
    const endpoints = endpointsOf(controller);
    ApiTags(tagOf(endpoints))(controller);
    for (const endpoint of endpoints) {
      describeEndpoint(controller, endpoint.name, descriptionOf(controller, endpoint));
    }
  }
}

function descriptionOf(
  controller: Type<unknown>,
  { handler, method, path, description }: EndpointDeclaration,
): RouteDescription {
  const access = accessOf(controller, handler);
  const isRecent = [controller, handler].some((target) =>
    Reflect.hasMetadata(REQUIRED_RECENT_SIGN_IN, target),
  );
  return {
    ...description,
    errors: [...(description.errors ?? []), ...(isRecent ? (['recent_sign_in_required'] as const) : [])],
    access,
    operationId: operationIdOf(method, path),
    oauthEndpoint: findOAuthEndpoint(path),
    isNavigation:
      (method === 'GET' && access === 'everybody') ||
      Object.values(description.responses).includes('text/html'),
  };
}

/** Who may call a route, as its guards say. */
function accessOf(controller: Type<unknown>, handler: object): Access {
  const guards = guardsOf(controller, handler);
  if (guards.includes(AdminGuard)) return 'administrators';
  return guards.includes(IamGuard) ? 'users' : 'everybody';
}

/** Tags and operation ids name paths, which are contracts, so that generated clients survive a new name of a class. */
function tagOf([first]: readonly EndpointDeclaration[]): string {
  const [area = '', part = ''] = first?.path.split('/') ?? [];
  if (area === 'admin') return `IAM: admin ${part}`;
  return ownTags.includes(area) ? `IAM: ${area}` : 'IAM: sign-in';
}

const ownTags = ['me', 'webhook', 'ui'];

/** `POST` of `admin/users/:id/disable` → `iamPostAdminUsersByIdDisable`. */
function operationIdOf(method: string, path: string): string {
  const words = path.replaceAll(':', 'by/').split(/\W|_/);
  return ['iam', method.toLowerCase(), ...words]
    .map((word, index) => (index === 0 ? word : capital(word)))
    .join('');
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
