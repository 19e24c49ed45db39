import { Get, Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { auditList } from '../../audit/audit-list.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Query, ZodPipe } from '../../http/parameter.decorators.js';
import { AdminController } from '../admin.guard.js';

/** The audit log. */
@AdminController('audit')
export class AdminAuditController {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  @Endpoint({
    summary: 'The audit log, newest first',
    permission: 'iam:audit:read',
    responses: { 200: auditList.page },
    example: {
      items: [
        {
          id: '01939a3c-6000-7ddd-8f40-3c4d5e6f7081',
          at: '2026-11-22T08:00:00.000Z',
          action: 'user.disabled',
          user_id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
          actor: 'admin_token',
          session_id: null,
          client_id: null,
          provider: null,
          ip: '192.0.2.7',
          user_agent: 'Mozilla/5.0',
          detail: { reason: 'spam' },
          correlation_id: '6f1c1d7e-9a58-4f7e-8d64-0d1b2c3a4f5e',
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(auditList.query)) query: z.infer<typeof auditList.query>) {
    return readPage(this.dataSource, auditList, query);
  }
}
