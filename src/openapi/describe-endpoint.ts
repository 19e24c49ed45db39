import type { Type } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiCookieAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  type ApiBodyOptions,
} from '@nestjs/swagger';
import { z } from 'zod';
import type { EndpointDescription, ResponseSchema } from '../http/endpoint.decorator.js';
import { errorResponses, type RouteDescription } from './error-responses.js';

/** Puts the description of one route where `@nestjs/swagger` looks for it. */
export function describeEndpoint(controller: Type<unknown>, name: string, endpoint: RouteDescription): void {
  const prototype = controller.prototype as object;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  if (descriptor === undefined) throw new TypeError(`no route ${name}`);
  for (const decorate of decoratorsOf(endpoint)) decorate(prototype, name, descriptor);
}

function decoratorsOf(endpoint: RouteDescription): MethodDecorator[] {
  const { summary, permission, access, operationId, bearer } = endpoint;
  const description =
    permission === undefined || permission === 'self' ? undefined : `Needs the permission \`${permission}\`.`;
  return [
    ApiOperation({ summary, operationId, ...(description !== undefined && { description }) }),
    ...(access === 'everybody' && bearer !== true ? [] : [ApiBearerAuth('iam')]),
    ...(access === 'everybody' ? [] : [ApiCookieAuth('iam-cookie')]),
    ...Object.entries(endpoint.path ?? {}).map(([parameter, text]) =>
      ApiParam({ name: parameter, description: text, schema: { type: 'string' } }),
    ),
    ...(endpoint.query === undefined ? [] : queryOf(endpoint.query)),
    ...(endpoint.errors?.includes('precondition_required') === true ? [ifMatch] : []),
    ...(endpoint.body === undefined ? [] : bodyOf(endpoint.body, endpoint.bodyType ?? 'json')),
    ...responsesOf(endpoint),
    ...errorResponses(endpoint).map(({ status, content }) =>
      ApiResponse({ status, description: 'See `code`', content }),
    ),
  ];
}

const ifMatch = ApiHeader({
  name: 'If-Match',
  required: true,
  description: 'The ETag of what the change is based on, or * for whatever it is now',
  schema: { type: 'string' },
});

function queryOf(query: z.ZodType): MethodDecorator[] {
  const { properties = {}, required = [] } = toJsonSchema(query, 'input');
  return Object.entries(properties).map(([name, schema]) =>
    ApiQuery({ name, required: required.includes(name), schema: isJsonSchema(schema) ? schema : {} }),
  );
}

const mediaTypes: Readonly<Record<string, readonly string[]>> = {
  json: ['application/json'],
  form: ['application/x-www-form-urlencoded', 'application/json'],
};

function bodyOf(body: z.ZodType, type: string): MethodDecorator[] {
  return [ApiConsumes(...(mediaTypes[type] ?? [type])), ApiBody({ schema: toJsonSchema(body, 'input') })];
}

function responsesOf({ responses, example }: EndpointDescription): MethodDecorator[] {
  return Object.entries(responses).map(([status, forms]) => {
    const bodies: readonly ResponseSchema[] = isList(forms) ? forms : [forms];
    const content = Object.assign({}, ...bodies.map((body) => contentOf(body, example))) as Record<
      string,
      object
    >;
    const description = bodies.every((body) => body === null) ? 'Without a body' : 'The response';
    return ApiResponse({
      status: Number(status),
      description,
      ...(Object.keys(content).length > 0 && { content }),
    });
  });
}

function contentOf(body: ResponseSchema, example: unknown): Record<string, object> {
  if (body === null) return {};
  if (typeof body === 'string') return { [body]: { schema: { type: 'string' } } };
  const schema = toJsonSchema(body, 'output');
  return { 'application/json': { schema, ...(example !== undefined && { example }) } };
}

/** A schema object of OpenAPI 3.0, in the words of `@nestjs/swagger`. */
type JsonSchema = Extract<ApiBodyOptions, { schema: unknown }>['schema'] & {
  properties?: Record<string, unknown>;
  required?: string[];
};

/** A zod schema in the dialect of OpenAPI 3.0: as a caller writes it, or as a response has it. */
function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const converted: unknown = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' });
  const completed = admitNull(converted);
  if (!isJsonSchema(completed)) throw new TypeError('not a schema');
  return completed;
}

/** OpenAPI 3.0.3: `nullable` alone does not let null through an `enum` that leaves it out. */
function admitNull(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(admitNull);
  if (typeof schema !== 'object' || schema === null) return schema;
  const completed = Object.fromEntries(
    Object.entries(schema).map(([name, value]): [string, unknown] => [name, admitNull(value)]),
  );
  if (completed['nullable'] !== true || !isList(completed['enum'])) return completed;
  return { ...completed, enum: [...completed['enum'], null] };
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

/** Narrows what zod types loosely. */
function isJsonSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null;
}
