import { Get } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { AdminController } from '../admin-controller.decorator.js';
import { AdminAudit } from './audit.service.js';
import { auditPage, auditPageExample, auditQuery } from './audit.view.js';

/** What happened, and who did it. */
@AdminController('audit')
export class AdminAuditController {
  constructor(private readonly audit: AdminAudit) {}

  @Endpoint({
    summary: 'The audit log, newest first',
    permission: 'iam:audit:read',
    query: auditQuery,
    responses: { 200: auditPage },
    example: auditPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.audit.list(request);
  }
}
