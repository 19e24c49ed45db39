import { Controller, Get, UseGuards } from '@nestjs/common';
import {
  type AccessTokenClaims,
  AccessTokens,
  Authentication,
  type AuthenticatedUser,
  CurrentUser,
  IamError,
  type IamErrorCode,
  IamGuard,
  type IamUser,
  IamUsers,
  Public,
  Requirements,
} from '../../src/index.js';

@Controller('orders')
@UseGuards(IamGuard)
export class OrdersController {
  @Get()
  list(@CurrentUser() user: AuthenticatedUser): readonly string[] {
    if (user.kind === 'person') {
      const { id, sessionId, clientId }: Record<'id' | 'sessionId' | 'clientId', string> = user;
      return [id, sessionId, clientId, ...user.roles];
    }
    // @ts-expect-error a machine has no session
    const { sessionId } = user;
    return user.kind === 'service' ? [user.clientId] : [user.keyId, user.owner, ...user.permissions];
  }

  @Public()
  @Get('open')
  open(@CurrentUser() user: AuthenticatedUser | undefined): boolean {
    return user !== undefined;
  }
}

@Public()
@Controller('shop-window')
export class ShopWindowController {}

/** A user is what the guard said, and stays it. */
export function promote(user: AuthenticatedUser): void {
  // @ts-expect-error the id is read-only
  user.id = 'somebody-else';
  // @ts-expect-error the roles are read-only
  user.roles = ['admin'];
  // @ts-expect-error and so is their list
  user.roles[0] = 'admin';
}

/** What a host does with users. */
export async function useUsers(users: IamUsers, tokens: AccessTokens): Promise<readonly (IamUser | null)[]> {
  const claims: AccessTokenClaims = await tokens.verify('token');
  // @ts-expect-error by our id or by the host's
  await users.bind('token', {});
  // @ts-expect-error one of both
  await users.bind('token', { nickname: 'x' });
  return [
    await users.find(claims.userId),
    await users.findByExternalId('host-1'),
    await users.findByIdentity('wx', 'o'),
    await users.create({ externalId: 'host-1', nickname: 'x' }),
    await users.bind('token', { id: claims.userId }),
    await users.bind('token', { externalId: 'host-1' }),
  ];
}

/** Codes are a closed list, so that a host's switch can be checked. */
export const codeOf = (error: IamError): IamErrorCode => error.code;
// @ts-expect-error no such code
export const unknown: IamErrorCode = 'no_such_code';
// @ts-expect-error details are the operator's, not the caller's
export const message = new IamError('not_found');

/** Who it is, by request or token, and what they may. */
export async function ask(authentication: Authentication, requirements: Requirements): Promise<boolean> {
  const user: AuthenticatedUser = await authentication.authenticate('token');
  await authentication.authenticate({ headers: {}, url: '/' }, { mustLive: true });
  // @ts-expect-error a token or a request
  await authentication.authenticate(42);
  await requirements.require(user, { roles: ['clerk'], permissions: ['orders:read'], recentSignIn: true });
  // @ts-expect-error no such requirement
  await requirements.require(user, { scopes: ['orders'] });
  return requirements.allows(user, { permissions: ['orders:read'] });
}
