import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import {
  filterBy,
  keysetSql,
  prefixPattern,
  type ListFilter,
  type PageRequest,
} from '../database/sql-fragments.js';
import { queryRows, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';

/** Filters of the audit log; all given ones apply. */
export interface AuditFilter {
  readonly user?: string | undefined;
  readonly actor?: string | undefined;
  /** An action, or a prefix with `*` behind it. */
  readonly action?: string | undefined;
  readonly provider?: string | undefined;
  readonly session?: string | undefined;
  readonly correlationId?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
}

const listed = z.object({
  id: z.string(),
  at: z.date(),
  action: z.string(),
  user_id: z.string().nullable(),
  actor: z.string().nullable(),
  session_id: z.string().nullable(),
  client_id: z.string().nullable(),
  provider: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  correlation_id: z.string().nullable(),
});

/** An entry of the audit log. */
export type ListedAuditEntry = z.infer<typeof listed>;

const source = {
  columns: sql`
    a.id, a.at, a.action, a.user_id, a.actor, a.session_id, a.client_id, a.provider, a.ip, a.user_agent, a.detail,
    a.correlation_id`,
  from: sql`iam.audit_log a`,
  key: 'a.id',
};

/** Ids are made by the clock of a replica, `at` by the clock of the database: they may differ by this much. */
const CLOCKS_DIFFER_MS = 60 * 60 * 1000;

/** The audit log as administrators read it. */
@Injectable()
export class AuditTrail {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  async page(filter: AuditFilter, page: PageRequest): Promise<ListedAuditEntry[]> {
    return queryRows(this.dataSource, listed, keysetSql(source, filtersOf(filter), page));
  }
}

function filtersOf({ action, from, to, ...filter }: AuditFilter): ListFilter[] {
  return [
    ...filterBy(filter.user, (id) => sql`a.user_id = ${id}`),
    ...filterBy(filter.actor, (actor) => sql`a.actor = ${actor}`),
    ...(action?.endsWith('*') === true
      ? filterBy(prefixPattern(action.slice(0, -1)), (pattern) => sql`a.action LIKE ${pattern}`)
      : filterBy(action, (name) => sql`a.action = ${name}`)),
    ...filterBy(filter.provider, (slug) => sql`a.provider = ${slug}`),
    ...filterBy(filter.session, (id) => sql`a.session_id = ${id}`),
    ...filterBy(filter.correlationId, (id) => sql`a.correlation_id = ${id}`),
    ...filterBy(from, (time) => sql`a.at >= ${time}`),
    ...filterBy(from && firstIdOf(from.getTime() - CLOCKS_DIFFER_MS), (id) => sql`a.id >= ${id}::uuid`),
    ...filterBy(to, (time) => sql`a.at < ${time}`),
    ...filterBy(to && firstIdOf(to.getTime() + CLOCKS_DIFFER_MS), (id) => sql`a.id < ${id}::uuid`),
  ];
}

/** The smallest UUID version 7 of a millisecond (RFC 9562 §5.7): with it every index narrows a span of time. */
function firstIdOf(milliseconds: number): string {
  const time = Math.min(Math.max(milliseconds, 0), 2 ** 48 - 1);
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
