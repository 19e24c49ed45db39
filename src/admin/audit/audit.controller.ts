import { Get } from '@nestjs/common';
import { z } from 'zod';
import { AuditTrail, type ListedAuditEntry } from '../../audit/audit-trail.service.js';
import { plainText } from '../../database/database-errors.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Query, ZodPipe } from '../../http/zod.pipe.js';
import { AdminController } from '../admin.guard.js';
import { idPage, pageOf, pageQuery, type Page } from '../page.js';

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const auditQuery = pageQuery.extend({
  user: z.uuid().optional().describe('Whom it concerns'),
  actor: plainText(128).optional().describe('Who did it: user:<id>, admin_token, host, wechat or cli'),
  action: plainText(64).optional().describe('One action, or several: `login.*`'),
  provider: plainText(64).optional().describe('Slug of an identity provider'),
  session: z.uuid().optional().describe('The session that it concerns, or in which somebody acted'),
  correlation_id: z.uuid().optional().describe('That of an error answer or a log line'),
  from: time.optional().describe('Inclusive'),
  to: time.optional().describe('Exclusive'),
});

const auditItem = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  action: z.string(),
  user_id: z.uuid().nullable(),
  actor: z.string().nullable(),
  session_id: z.uuid().nullable(),
  client_id: z.string().nullable(),
  provider: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  correlation_id: z.uuid().nullable(),
});

const auditPage = pageOf(auditItem);
type AuditItem = z.infer<typeof auditItem>;

function toAuditItem(row: ListedAuditEntry): AuditItem {
  return {
    id: row.id,
    at: row.at.toISOString(),
    action: row.action,
    user_id: row.user_id,
    actor: row.actor,
    session_id: row.session_id,
    client_id: row.client_id,
    provider: row.provider,
    ip: row.ip,
    user_agent: row.user_agent,
    detail: row.detail,
    correlation_id: row.correlation_id,
  };
}

const auditPageExample: z.infer<typeof auditPage> = {
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
};

/** The audit log. */
@AdminController('audit')
export class AdminAuditController {
  constructor(private readonly trail: AuditTrail) {}

  @Endpoint({
    summary: 'The audit log, newest first',
    permission: 'iam:audit:read',
    responses: { 200: auditPage },
    example: auditPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(auditQuery)) query: z.infer<typeof auditQuery>): Promise<Page<AuditItem>> {
    const { correlation_id: correlationId, ...filter } = query;
    return idPage(query, (page) => this.trail.page({ ...filter, correlationId }, page), toAuditItem);
  }
}
