import {
  type ArgumentMetadata,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
} from '@nestjs/common';
import type { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { isRecord } from '../errors/unknown.js';
import { currentRequest, readForHandler } from './parameter.decorators.js';

/**
 * `form` takes a form as well as JSON (RFC 6749 §3.2); a media type is taken as it is. In a form, as in a query, a parameter
 * without a value counts as left out (RFC 6749 §3.1); a member of JSON that is empty was not left out.
 */
export type BodyType = 'json' | 'form' | `${string}/${string}`;

/**
 * Validates the parameter of `@Body()` or `@Query()` of this file; OpenAPI finds the schema here. The value is read from the
 * request itself, because a parser or global pipe of the host may have changed it.
 * @throws IamError `invalid_request` that names the member for the log
 */
export class ZodPipe<T> implements PipeTransform<unknown, T> {
  constructor(
    readonly schema: z.ZodType<T>,
    readonly bodyType: BodyType = 'json',
  ) {}

  transform(_value: unknown, { data }: ArgumentMetadata): T {
    const request = currentRequest();
    if (request === undefined) throw new TypeError('a ZodPipe validates parameters of our endpoints only');
    const { query, body } = readForHandler(request);
    return data === QUERY ? parseInput(this.schema, query) : this.parse(body);
  }

  protected parse(body: unknown): T {
    return this.bodyType === 'json' ? parseBody(this.schema, body) : parseInput(this.schema, body);
  }
}

/** For a JSON body in which, as in a form, a member that is empty counts as left out. */
export class FormLikePipe<T> extends ZodPipe<T> {
  protected override parse(body: unknown): T {
    return parseInput(this.schema, body);
  }
}

/** What Nest keeps of a parameter whose value is the query. */
export const QUERY = 'query';

const Part = createParamDecorator((_part: unknown, context: ExecutionContext) =>
  readForHandler(context.switchToHttp().getRequest<object>()),
);

/**
 * As `@Body()` of Nest, but a parameter of the type `custom`. Without that, a global pipe of the host that validates bodies
 * by their class would refuse ours, which have none.
 */
export const Body = <T>(pipe: ZodPipe<T>): ParameterDecorator => Part('body', pipe);

/** As `@Query()` of Nest; see `Body`. */
export const Query = <T>(pipe: ZodPipe<T>): ParameterDecorator => Part(QUERY, pipe);

/** Gives handlers the path parameters as they came, also where a global pipe of the host has changed them. */
export const pathAsGiven: PipeTransform = {
  transform(value: unknown, { type, data }: ArgumentMetadata): unknown {
    const request = currentRequest();
    if (type !== 'param' || !isRecord(request) || !isRecord(request['params'])) return value;
    return data === undefined ? request['params'] : request['params'][data];
  },
};

/**
 * The parameters of a request as `schema` sees them; one without a value counts as left out (RFC 6749 §3.1, §3.2).
 * @throws IamError `invalid_request` that names the parameter for the log
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(withoutEmpty(input ?? {}));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new IamError(
    'invalid_request',
    `${issue?.path.map(String).join('.') ?? 'request'}: ${issue?.message ?? 'not valid'}`,
  );
}

/**
 * The body of a request as `schema` sees it. Unlike a parameter of OAuth, a member that is empty was not left out.
 * @throws IamError `invalid_request` that names the member for the log
 */
function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const [{ path, message } = { path: [], message: 'not valid' }] = result.error.issues;
  throw new IamError('invalid_request', `${['body', ...path.map(String)].join('.')}: ${message}`);
}

function withoutEmpty(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== ''));
}
