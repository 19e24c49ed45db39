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
} from '@nestjs/swagger';
import type { z } from 'zod';
import type { ResponseSchema, EndpointDescription } from '../http/endpoint.decorator.js';
import { errorResponses } from './error-responses.js';
import { isJsonSchema, toJsonSchema } from './json-schema.js';
import type { RouteDescription } from './route-description.js';

/** Puts the description of one route where `@nestjs/swagger` looks for it. */
export function describeEndpoint(prototype: object, name: string, endpoint: RouteDescription): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  if (descriptor === undefined) throw new TypeError(`no route ${name}`);
  for (const decorate of decoratorsOf(endpoint)) decorate(prototype, name, descriptor);
}

function decoratorsOf(endpoint: RouteDescription): MethodDecorator[] {
  const { summary, permission, access } = endpoint;
  const description = permission === undefined ? undefined : `Needs the permission \`${permission}\`.`;
  return [
    ApiOperation({ summary, ...(description !== undefined && { description }) }),
    ...(access === 'everybody' ? [] : [ApiBearerAuth('iam'), ApiCookieAuth('iam-cookie')]),
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
    const description = bodies.every((body) => body === null) ? 'Without a body' : 'The answer';
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

function isList(forms: EndpointDescription['responses'][number]): forms is readonly ResponseSchema[] {
  return Array.isArray(forms);
}
