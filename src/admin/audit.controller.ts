import { Controller, Get, UseFilters, UseGuards, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { AdminGuard } from './admin.guard.js';
import { AdminAudit } from './audit.service.js';
import { auditPage, auditPageExample, auditQuery } from './audit.view.js';

/** What happened, and who did it. */
@Public()
@UseGuards(AdminGuard)
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ path: 'admin/audit', version: VERSION_NEUTRAL })
export class AdminAuditController {
  constructor(private readonly audit: AdminAudit) {}

  @Endpoint({
    summary: 'The audit log, newest first',
    permission: 'iam:audit:read',
    query: auditQuery,
    answers: { 200: auditPage },
    example: auditPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<Answer> {
    return this.audit.list(request);
  }
}
