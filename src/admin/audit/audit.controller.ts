import { Get } from '@nestjs/common';
import { json, type IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { parseInput } from '../../http/zod.pipe.js';
import { AdminController } from '../admin.guard.js';
import { AuditTrail } from '../../audit/audit-trail.service.js';
import { toIdPage, toPageRequest } from '../page.js';
import { auditPage, auditPageExample, auditQuery, toAuditItem } from './audit.view.js';

/** What happened, and who did it. */
@AdminController('audit')
export class AdminAuditController {
  constructor(private readonly trail: AuditTrail) {}

  @Endpoint({
    summary: 'The audit log, newest first',
    permission: 'iam:audit:read',
    query: auditQuery,
    responses: { 200: auditPage },
    example: auditPageExample,
  })
  @Get()
  async list(@Incoming() { query }: IamRequest): Promise<IamResponse> {
    const { from, to, correlation_id: correlationId, ...given } = parseInput(auditQuery, query);
    const page = toPageRequest(given);
    const filter = { ...given, correlationId, from: toDate(from), to: toDate(to) };
    return json(toIdPage(await this.trail.page(filter, page), page, toAuditItem));
  }
}

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
