import { IamError } from '../errors/iam.error.js';

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
  /** How the session began: `open`, `mp`, `follow`, `page`, `mini`, `mobile` or `device`. */
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
