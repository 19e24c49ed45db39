import { Get, Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Query, ZodPipe } from '../../http/zod.pipe.js';
import { loginList } from '../../sign-in/login-list.js';
import { AdminController } from '../admin.guard.js';

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
