import { Get, Inject, Param, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Query, ZodPipe } from '../../http/parameter.decorators.js';
import { logoutList, LogoutOutbox } from '../../oauth/backchannel/logout-outbox.service.js';
import { AdminController } from '../admin.guard.js';

/** What applications have yet to be told of sessions that have ended. */
@AdminController('backchannel_logouts')
export class AdminBackchannelLogoutsController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly outbox: LogoutOutbox,
  ) {}

  @Endpoint({
    summary:
      'Logout tokens that their applications have not taken, newest first; those given up stay a month',
    permission: 'iam:clients:read',
    responses: { 200: logoutList.page },
    example: {
      items: [
        {
          id: '01939a3c-7100-7abc-9051-4d5e6f708192',
          client_id: 'shop',
          user_id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
          session_id: '01939a3c-5e80-7aaa-9c1e-0f1e2d3c4b5a',
          status: 'dead',
          attempts: 10,
          last_error: 'status 400',
          next_attempt_at: null,
          created_at: '2026-11-22T08:00:00.000Z',
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(logoutList.query)) query: z.infer<typeof logoutList.query>) {
    return readPage(this.dataSource, logoutList, query);
  }

  @Endpoint({
    summary: 'Send one again: any replica does within seconds, with as many attempts as before',
    permission: 'iam:clients:write',
    path: { id: 'The logout token' },
    responses: { 202: null },
    errors: ['not_found'],
  })
  @Post(':id/retry')
  retry(@Param('id') id: string): Promise<void> {
    return this.outbox.retry(id);
  }
}
