import { SetMetadata, RequestMethod, type Type } from '@nestjs/common';
import type { z } from 'zod';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { AdminPermission } from '../config/iam.permissions.js';
import { type BodyType, QUERY, ZodPipe } from './parameter.decorators.js';
import {
  GUARDS_METADATA,
  METHOD_METADATA,
  PATH_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';

/** Metadata key of `@Endpoint()`. */
export const ENDPOINT = 'nestjs-wechat-iam:endpoint';

/** The schema of a JSON response, null for a response without a body, a media type for one that is not JSON. */
export type ResponseSchema = z.ZodType | null | `${string}/${string}`;

/** Describes a route, for OpenAPI and for the access to it. */
export interface EndpointDescription {
  /** One line. */
  readonly summary: string;
  /** The permission that the admin API asks for, or `self` where a user asks about themselves; an admin route without one is refused to everybody. */
  readonly permission?: AdminPermission | 'self';
  /** The route reads an access token itself; those of a guard say so by the guard. */
  readonly bearer?: true;
  /** A sentence for each path parameter. */
  readonly path?: Readonly<Record<string, string>>;
  /** Of a route that reads its query or body itself; the others have a `ZodPipe` at the parameter. */
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** @default json */
  readonly bodyType?: BodyType;
  /** By HTTP status; a list where a status has several forms. A plain value has the first status with a body, nothing the first without. */
  readonly responses: Readonly<Record<number, ResponseSchema | readonly ResponseSchema[]>>;
  /** A response as a front-end gets it. */
  readonly example?: unknown;
  /** The codes that belong to this route, beyond those of every route. */
  readonly errors?: readonly IamErrorCode[];
}

/** Describes a route. */
export const Endpoint = (description: EndpointDescription) => SetMetadata(ENDPOINT, description);

const controllers: Type<unknown>[] = [];

/** Every controller of the module that has been imported. */
export const iamControllers: readonly Type<unknown>[] = controllers;

/** Notes a controller of the module, when it is declared. */
export function registerController(controller: Type<unknown>): void {
  controllers.push(controller);
}

/** True for a controller of the module; every other one is the host's. */
export function isIamController(type: unknown): type is Type {
  return controllers.some((controller) => controller === type);
}

/** The guards that a controller and its handler name themselves. */
export function guardsOf(controller: object, handler: object): unknown[] {
  return [controller, handler].flatMap((target): unknown[] =>
    [Reflect.getMetadata(GUARDS_METADATA, target) as unknown].flat(),
  );
}

type Handler = (...parameters: unknown[]) => unknown;

/** One endpoint as its controller declares it. */
export interface EndpointDeclaration {
  /** The name of the method. */
  readonly name: string;
  readonly handler: Handler;
  /** In upper case. */
  readonly method: string;
  /** Below the option `path`, with parameters as `:name`: `me/identities/:id`. */
  readonly path: string;
  readonly description: EndpointDescription;
}

/** Every endpoint of a controller. @throws TypeError that names a route without `@Endpoint()` */
export function endpointsOf(controller: Type<unknown>): EndpointDeclaration[] {
  return handlersOf(controller).map(({ name, handler }) => {
    const description = Reflect.getMetadata(ENDPOINT, handler) as EndpointDescription | undefined;
    if (description === undefined) throw new TypeError(`${controller.name}.${name} has no @Endpoint()`);
    const method = RequestMethod[Number(Reflect.getMetadata(METHOD_METADATA, handler))] ?? '';
    const segments = [pathOf(controller), pathOf(handler)].flatMap((path) => path.split('/'));
    return {
      name,
      handler,
      method,
      path: segments.filter((segment) => segment !== '').join('/'),
      description: { ...description, ...schemasOf(controller, name) },
    };
  });
}

type Schemas = Pick<EndpointDescription, 'query' | 'body' | 'bodyType'>;

/** The schemas of the pipes at a handler's parameters. */
function schemasOf(controller: Type<unknown>, name: string): Schemas {
  const parameters: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name);
  const schemas = Object.values(Object(parameters) as Record<string, RouteParameter>).map(
    ({ data, pipes = [] }): Schemas => {
      const pipe = pipes.find((each) => each instanceof ZodPipe);
      if (pipe === undefined) return {};
      const { schema, bodyType } = pipe;
      return data === QUERY ? { query: schema } : { body: schema, bodyType };
    },
  );
  return Object.assign({}, ...schemas) as Schemas;
}

/** As Nest's parameter decorators leave it. */
interface RouteParameter {
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

/** The methods of a controller that are routes. */
export function handlersOf({ prototype }: Type<unknown>): {
  readonly name: string;
  readonly handler: Handler;
}[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype as object))
    .map(([name, { value }]): [string, unknown] => [name, value])
    .filter((member): member is [string, Handler] => typeof member[1] === 'function')
    .filter(([, handler]) => Reflect.hasMetadata(METHOD_METADATA, handler))
    .map(([name, handler]) => ({ name, handler }));
}

function pathOf(target: object): string {
  return String(Reflect.getMetadata(PATH_METADATA, target));
}

const endpoints = ['token', 'revoke', 'device_authorization', 'par', 'introspect'] as const;

/** An endpoint whose errors are those of RFC 6749 §5.2. */
export type OAuthEndpoint = (typeof endpoints)[number];

/** The OAuth endpoint of a path below the module's own; null for any other. */
export function findOAuthEndpoint(path: string | null): OAuthEndpoint | null {
  return endpoints.find((endpoint) => endpoint === path) ?? null;
}
