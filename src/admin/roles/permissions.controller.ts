import { Get } from '@nestjs/common';
import { z } from 'zod';
import { json, type IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { adminPermissions } from '../../config/iam.permissions.js';
import { AdminController } from '../admin-controller.decorator.js';

const permissionList = z.object({ items: z.array(z.object({ name: z.string(), meaning: z.string() })) });

const listed: z.infer<typeof permissionList> = {
  items: Object.entries(adminPermissions).map(([name, meaning]) => ({ name, meaning })),
};

/** What the admin API can be allowed to do; a role may name permissions of the host besides. */
@AdminController('permissions')
export class AdminPermissionsController {
  @Endpoint({
    summary: 'The permissions of the admin API',
    permission: 'iam:roles:read',
    responses: { 200: permissionList },
    example: { items: listed.items.slice(0, 2) },
  })
  @Get()
  list(): IamResponse {
    return json(listed);
  }
}
