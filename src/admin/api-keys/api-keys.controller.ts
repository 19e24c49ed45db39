import { Delete, Get, Inject, Param, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { apiKeyExample, madeExample } from '../../account/me-api-keys.controller.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { inTransaction } from '../../database/sql.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Created } from '../../http/iam-response.js';
import { CurrentUser, Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import { apiKeyList, madeApiKey, type MadeApiKey, newApiKey } from '../../sessions/api-keys/api-key.js';
import { ApiKeys } from '../../sessions/api-keys/api-keys.service.js';
import { type Admin, AdminPermissions, AdminReach } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

const newServiceKey = newApiKey.extend({
  client_id: z.string().min(1).max(128).describe('The service that the key acts for'),
});

/** The API keys of users and services. */
@AdminController('api_keys')
export class AdminApiKeysController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly keys: ApiKeys,
    private readonly permissions: AdminPermissions,
    private readonly reach: AdminReach,
  ) {}

  @Endpoint({
    summary: 'API keys, newest first; the keys themselves are never shown',
    permission: 'iam:api_keys:read',
    responses: { 200: apiKeyList.page },
    example: {
      items: [
        {
          ...apiKeyExample,
          user_id: '0198c0de-0000-7000-8000-000000000001',
          client_id: null,
          owner_name: '小兰',
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(apiKeyList.query)) query: z.infer<typeof apiKeyList.query>) {
    return readPage(this.dataSource, apiKeyList, query);
  }

  @Endpoint({
    summary: 'Make an API key for a service, of permissions that one holds oneself',
    permission: 'iam:api_keys:write',
    responses: { 201: madeApiKey },
    example: madeExample,
    errors: ['not_found', 'api_key_limit_reached'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(newServiceKey)) { client_id: clientId, ...given }: z.infer<typeof newServiceKey>,
    @CurrentUser() admin: Admin,
  ): Promise<Created<MadeApiKey>> {
    await this.permissions.requireAll(admin, given.permissions);
    return new Created(await this.keys.createForService(clientId, given));
  }

  @Endpoint({
    summary: 'End an API key: it is refused at once here and within five seconds elsewhere',
    permission: 'iam:api_keys:write',
    path: { id: 'The API key' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    const { owner, permissions } = await this.keys.get(id);
    if ('userId' in owner) await this.reach.require(admin, [owner.userId]);
    else await this.permissions.requireAll(admin, permissions);
    await inTransaction(this.dataSource, (manager) =>
      this.keys.end(manager, owner, id, { reason: 'ended_by_admin' }),
    );
  }
}
