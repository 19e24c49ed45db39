import { createParamDecorator, type ExecutionContext, type PipeTransform, type Type } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { currentMarks, runMarked } from '../runtime/request-context.js';
import { admissionTo } from './access-policy.decorator.js';
import { holderOf } from './callers.js';
import { readIfMatch } from './iam-response.js';
import { readOrigin, readRequest, type IamRequest } from './iam-request.js';

/** A person who is signed in. */
export interface AuthenticatedPerson {
  readonly kind: 'person';
  /** The user's id (`sub`). */
  readonly id: string;
  /** The session (`sid`). */
  readonly sessionId: string;
  /** The front-end the token was issued to (`client_id`). */
  readonly clientId: string;
  readonly roles: readonly string[];
  /** How the session began: `open`, `mp`, `follow`, `mini` or `mobile`. */
  readonly method: string;
  /** When the person signed in; refreshing changes nothing of it. */
  readonly signedInAt: Date;
  /** The front-end is an application of a third party, to which the person has granted this route's resource. */
  readonly isThirdParty?: boolean | undefined;
}

/** An application of type `service`, by a token of the grant `client_credentials`. */
export interface AuthenticatedService {
  readonly kind: 'service';
  /** Its `client_id`, which is never the id of a user. */
  readonly id: string;
  readonly clientId: string;
  /** Those that it has now. */
  readonly roles: readonly string[];
}

/** The bearer of an API key, who may do what its owner may and the key permits. */
export interface AuthenticatedApiKey {
  readonly kind: 'api_key';
  /** The owner: the id of a user, or the `client_id` of a service. */
  readonly id: string;
  readonly owner: 'person' | 'service';
  readonly keyId: string;
  /** Those of its owner whose permissions the key has all. */
  readonly roles: readonly string[];
  /** Those that its owner has now as well. */
  readonly permissions: readonly string[];
}

/** Whom `IamGuard` admitted, as `@CurrentUser()` gives it: `kind` tells people from machines. */
export type AuthenticatedUser = AuthenticatedPerson | AuthenticatedService | AuthenticatedApiKey;

/** @throws IamError `person_required` */
export function requirePerson(user: AuthenticatedUser): AuthenticatedPerson {
  if (user.kind === 'person') return user;
  throw new IamError('person_required', `a machine, ${actorOf(user)}`);
}

/** As the audit log names who acts. */
export function actorOf(user: AuthenticatedUser): string {
  if (user.kind === 'api_key') return `api_key:${user.keyId}`;
  return user.kind === 'service' ? `client:${user.id}` : `user:${user.id}`;
}

/** No name, so that a host's own `request.user` stays what it was. A `WeakMap` in its place takes a third of the guard's time. */
const USER = Symbol('nestjs-wechat-iam:user');

interface Authenticated {
  [USER]?: AuthenticatedUser | undefined;
}

/** Notes the user of a request or socket; undefined removes it. */
export function setAuthenticatedUser(request: Authenticated, user: AuthenticatedUser | undefined): void {
  request[USER] = user;
}

/** The user of a request or socket; null when no guard of ours admitted it. */
export function findAuthenticatedUser(request: Authenticated): AuthenticatedUser | null {
  return request[USER] ?? null;
}

const read = new WeakMap<object, IamRequest>();

/** Runs the handler of one of our endpoints, with its pipes. */
export function whileAnswering<T>(request: object, handle: () => T): T {
  return runMarked({ answering: request }, handle);
}

/** The request whose handler runs, for a pipe; undefined outside our endpoints. */
export function currentRequest(): object | undefined {
  return currentMarks().answering;
}

/** A request whose body is there, for the parameters of its handler. It is read once, however many they are. */
export function readForHandler(request: object): IamRequest {
  if (currentRequest() !== request) return readRequest(request);
  const incoming = read.get(request) ?? readRequest(request);
  read.set(request, incoming);
  return incoming;
}

type Parameter = (...pipes: (Type<PipeTransform> | PipeTransform)[]) => ParameterDecorator;

function parameterOf(read: (request: object) => unknown): Parameter {
  return createParamDecorator((_options: unknown, context: ExecutionContext) =>
    read(context.switchToHttp().getRequest<object>()),
  );
}

/** A parameter of a handler that is read from the request. On our endpoints no global pipe of the host changes it. */
export function fromRequest(read: (request: object) => unknown): Parameter {
  const restore: PipeTransform = {
    transform(value: unknown): unknown {
      const request = currentRequest();
      return request === undefined ? value : read(request);
    },
  };
  const parameter = parameterOf(read);
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
