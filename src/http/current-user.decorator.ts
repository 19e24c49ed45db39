import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { findAuthenticatedUser, type AuthenticatedUser } from './authenticated-user.js';

/** The `AuthenticatedUser` whom `IamGuard` admitted; undefined on a route that is `@Public()`. */
export const CurrentUser = createParamDecorator(
  (_options: unknown, context: ExecutionContext): AuthenticatedUser | undefined =>
    findAuthenticatedUser(context.switchToHttp().getRequest<object>()) ?? undefined,
);
