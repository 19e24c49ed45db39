import {
  type ArgumentMetadata,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import type { z } from 'zod';
import { IamError, wrongMember } from '../errors/iam.error.js';
import { isRecord } from '../errors/unknown.js';
import { currentMarks, runMarked } from '../runtime/request-context.js';
import { admissionTo } from './access-policy.decorator.js';
import { type AuthenticatedUser, findAuthenticatedUser } from './authenticated-user.js';
import { holderOf } from './callers.js';
import { readIfMatch } from './iam-response.js';
import { readOrigin, readRequest, type IamRequest } from './iam-request.js';

const read = new WeakMap<object, IamRequest>();

/** Runs the handler of one of our endpoints, with its pipes. */
export function whileAnswering<T>(request: object, handle: () => T): T {
  return runMarked({ answering: request }, handle);
}

/** The request whose handler runs, for a pipe; undefined outside our endpoints. */
function currentRequest(): object | undefined {
  return currentMarks().answering;
}

/** A request whose body is there, for the parameters of its handler. It is read once, however many they are. */
function readForHandler(request: object): IamRequest {
  if (currentRequest() !== request) return readRequest(request);
  const incoming = read.get(request) ?? readRequest(request);
  read.set(request, incoming);
  return incoming;
}

type Parameter = (...pipes: (Type<PipeTransform> | PipeTransform)[]) => ParameterDecorator;

/** A parameter of a handler that is read from the request. On our endpoints no global pipe of the host changes it. */
export function fromRequest(read: (request: object) => unknown): Parameter {
  const restore: PipeTransform = {
    transform(value: unknown): unknown {
      const request = currentRequest();
      return request === undefined ? value : read(request);
    },
  };
  const parameter: Parameter = createParamDecorator((_options: unknown, context: ExecutionContext) =>
    read(context.switchToHttp().getRequest<object>()),
  );
  return (...pipes) => parameter(...pipes, restore);
}

/** The request as an `IamRequest`. */
export const Incoming = fromRequest(readForHandler);

/** The `RequestOrigin`. */
export const Origin = fromRequest(readOrigin);

/** The version that a change is based on, or null (see `readIfMatch`). It is refused before any pipe reads the body. */
export const IfMatch = fromRequest((request) => readIfMatch(readForHandler(request).ifMatch));

const userOf = (request: object): AuthenticatedUser | undefined =>
  findAuthenticatedUser(request) ?? undefined;

/** The `AuthenticatedUser`, for our own endpoints. */
export const CurrentUser = fromRequest(userOf);

/**
 * The `AuthenticatedUser` whom `IamGuard` admitted: of the request, of the GraphQL operation, or of the socket. Undefined on a
 * handler that is `@Public()`, and for who is not signed in under `@OptionalAuth()`. It has no pipe of ours, which would cost every
 * request as much as the guard.
 */
export const HostCurrentUser: Parameter = createParamDecorator(
  (_options: unknown, context: ExecutionContext) => {
    const holder = holderOf(context);
    return holder === null || isOpenToSockets(context) ? undefined : userOf(holder);
  },
);

/** What a socket has noted is of an earlier message: no guard has asked since whether the token still works. */
function isOpenToSockets(context: ExecutionContext): boolean {
  return context.getType() === 'ws' && admissionTo(context.getHandler(), context.getClass()) === 'public';
}

/**
 * `form` takes a form as well as JSON (RFC 6749 §3.2); a media type is taken as it is. In a form, as in a query, a parameter
 * without a value counts as left out (RFC 6749 §3.1); a member of JSON that is empty was not left out.
 */
export type BodyType = 'json' | 'form' | `${string}/${string}`;

/**
 * Validates the parameter of `@Body()` or `@Query()` of this file; OpenAPI finds the schema here. The value is read from the
 * request itself, because a parser or global pipe of the host may have changed it.
 * @throws IamError `invalid_request` that names the member of JSON in the response, a parameter for the log
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
 * @throws IamError `invalid_request` that names the member
 */
function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const [{ path, message } = { path: [], message: 'not valid' }] = result.error.issues;
  throw path.length === 0
    ? new IamError('invalid_request', `body: ${message}`)
    : wrongMember(path.map(String).join('.'), message);
}

function withoutEmpty(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== ''));
}
