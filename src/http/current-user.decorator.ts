import { findAuthenticatedUser, type AuthenticatedUser } from './authenticated-user.js';
import { fromRequest } from './incoming.decorator.js';

/** The `AuthenticatedUser` whom `IamGuard` admitted; undefined on a route that is `@Public()`. */
export const CurrentUser = fromRequest(
  (request): AuthenticatedUser | undefined => findAuthenticatedUser(request) ?? undefined,
);
