import { Delete, Get, Inject, Param } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser, Query, ZodPipe } from '../../http/parameter.decorators.js';
import { sessionList, SessionRevocation } from '../../sessions/session-list.service.js';
import { loginList } from '../../sign-in/login-list.js';
import { AdminReach, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

/** Sessions: the list, and their end. */
@AdminController('sessions')
export class AdminSessionsController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly sessions: SessionRevocation,
    private readonly reach: AdminReach,
  ) {}

  @Endpoint({
    summary: 'Sessions, newest first',
    permission: 'iam:sessions:read',
    responses: { 200: sessionList.page },
    example: {
      items: [
        {
          id: '01939a3c-5e80-7aaa-9c1e-0f1e2d3c4b5a',
          user_id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
          nickname: '小兰',
          client_id: 'web',
          provider: 'wechat',
          method: 'open',
          appid: 'wx0123456789abcdef',
          ip: '203.0.113.7',
          user_agent: 'Mozilla/5.0 …',
          live: true,
          created_at: '2026-11-22T08:00:00.000Z',
          last_used_at: '2026-11-22T09:30:00.000Z',
          idle_expires_at: '2026-12-22T09:30:00.000Z',
          expires_at: '2027-02-20T08:00:00.000Z',
          ended_at: null,
          end_reason: null,
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(sessionList.query)) query: z.infer<typeof sessionList.query>) {
    return readPage(this.dataSource, sessionList, query);
  }

  @Endpoint({
    summary: 'End a session; its access tokens last until they expire, at once with `sessionCheck: always`',
    permission: 'iam:sessions:write',
    path: { id: 'The session' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    const owner = await this.sessions.findOwner(id);
    if (owner !== null) await this.reach.require(admin, [owner]);
    if (!(await this.sessions.end(id, 'ended_by_admin'))) throw new IamError('not_found', 'no such session');
  }
}

/** Sign-in attempts: pending, failed, and the error. */
@AdminController('logins')
export class AdminLoginsController {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  @Endpoint({
    summary: 'Sign-in attempts of the last day, newest first',
    permission: 'iam:logins:read',
    responses: { 200: loginList.page },
    example: {
      items: [
        {
          id: '01939a3c-4a00-7ccc-8e3f-2b3c4d5e6f70',
          status: 'failed',
          error: 'wechat_credentials_rejected',
          provider: 'wechat',
          method: 'mp',
          appid: 'wx0123456789abcdef',
          client_id: 'web',
          user_id: null,
          new_user: false,
          ip: '203.0.113.7',
          user_agent: 'Mozilla/5.0 … MicroMessenger/8.0.49',
          age_seconds: 42,
          created_at: '2026-11-22T08:00:00.000Z',
          scanned_at: null,
          confirmed_at: null,
          redeem_before: null,
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(loginList.query)) query: z.infer<typeof loginList.query>) {
    return readPage(this.dataSource, loginList, query);
  }
}
