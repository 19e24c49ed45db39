import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../../audit/audit-trail.service.js';
import { json, type IamResponse } from '../../http/iam-response.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput } from '../../http/zod.pipe.js';
import { auditQuery, toAuditItem } from './audit.view.js';
import { toIdPage, toPageRequest } from '../id-page.js';

/** The audit log in the admin API. */
@Injectable()
export class AdminAudit {
  constructor(private readonly trail: AuditTrail) {}

  async list({ query }: IamRequest): Promise<IamResponse> {
    const { from, to, correlation_id: correlationId, ...given } = parseInput(auditQuery, query);
    const page = toPageRequest(given);
    const filter = { ...given, correlationId, from: toDate(from), to: toDate(to) };
    return json(toIdPage(await this.trail.page(filter, page), page, toAuditItem));
  }
}

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
