import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import {
  AllowMachines,
  type AuthenticatedUser,
  CurrentUser,
  IamGuard,
  OptionalAuth,
  RequirePermissions,
  RequireRecentSignIn,
  RequireRoles,
} from '../../src/index.js';
import { AdminClient } from './admin.js';
import type { Reply } from './pc-browser.js';
import { addServer, post } from './server-client.js';
import { getWith } from './sign-in.js';

@Controller('orders')
@UseGuards(IamGuard)
export class OrdersController {
  @Get()
  mine() {
    return {};
  }

  @Get('optional')
  @OptionalAuth()
  optional() {
    return {};
  }

  @Get('recent')
  @RequirePermissions('orders:refund')
  @RequireRecentSignIn()
  recent() {
    return {};
  }

  @Get('any')
  @AllowMachines()
  any(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Get('refund')
  @RequirePermissions('orders:refund')
  refund(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Get('clerks')
  @RequireRoles('clerk', 'bell')
  clerks() {
    return {};
  }
}

/** Routes of a host with every kind of requirement. */
@Module({ controllers: [OrdersController] })
export class OrdersModule {}

/** Status and code of what came back; null for a success. */
export const outcome = (reply: Reply): readonly [number, unknown] => [
  reply.status,
  reply.text.startsWith('{') ? (reply.json()['code'] ?? null) : null,
];

/** A host as machines call it. */
export class MachineHost {
  readonly admin: AdminClient;
  private made = 0;

  constructor(readonly url: string) {
    this.admin = new AdminClient(url);
  }

  /** The roles that the tests give. */
  async makeRoles(): Promise<void> {
    await this.admin.post('roles', { name: 'clerk', permissions: ['orders:refund', 'orders:read'] });
    await this.admin.post('roles', { name: 'bell', permissions: [] });
  }

  get(path: string, token: string): Promise<Reply> {
    return getWith(`${this.url}/${path}`, token);
  }

  async outcome(path: string, token: string): Promise<readonly [number, unknown]> {
    return outcome(await this.get(path, token));
  }

  requestToken(form: Readonly<Record<string, string>>): Promise<Reply> {
    return post(`${this.url}/iam/token`, { grant_type: 'client_credentials', ...form });
  }

  async tokenOf(form: Readonly<Record<string, string>>): Promise<string> {
    return String((await this.requestToken(form)).json()['access_token']);
  }

  /** A service with a secret. */
  async service(roles: readonly string[] = ['clerk']) {
    this.made += 1;
    const { id, secret } = await addServer(this.admin, {
      id: `service-${this.made}`,
      type: 'service',
      roles,
    });
    return { id, credentials: { client_id: id, client_secret: secret } };
  }
}
