import { Get } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser } from '../../http/parameter.decorators.js';
import { type Admin, AdminPermissions } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

const accessView = z.object({
  actor: z.enum(['admin_token', 'host', 'user']),
  permissions: z.array(z.string()).describe('Of the admin API; the roles of a user may grant others too'),
});

/** What the caller may do, for the navigation of an administration. */
@AdminController('access')
export class AdminAccessController {
  constructor(private readonly own: AdminPermissions) {}

  @Endpoint({
    summary: 'Who calls, and which permissions of the admin API they have; any signed-in user may ask',
    permission: 'self',
    responses: { 200: accessView },
    example: { actor: 'user', permissions: ['iam:users:read', 'iam:logins:read'] },
  })
  @Get()
  get(@CurrentUser() admin: Admin): Promise<z.infer<typeof accessView>> {
    return this.own.held(admin);
  }
}
