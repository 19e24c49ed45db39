import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { filterBy, keysetSql, type ListFilter, type PageRequest } from '../database/sql-fragments.js';
import { queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { SessionCheck } from './session-check.service.js';
import { endSessionsSql, isLiveSql } from './session-statements.js';

/** Filters of the list of sessions; all given ones apply. */
export interface SessionFilter {
  readonly user?: string | undefined;
  readonly client?: string | undefined;
  readonly provider?: string | undefined;
  readonly method?: string | undefined;
  /** False: only those that are over. */
  readonly live?: boolean | undefined;
}

const listed = z.object({
  id: z.string(),
  user_id: z.string(),
  client_id: z.string(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  created_at: z.date(),
  rotated_at: z.date().nullable(),
  idle_expires_at: z.date(),
  expires_at: z.date(),
  ended_at: z.date().nullable(),
  end_reason: z.string().nullable(),
  is_live: z.boolean(),
});

/** A session as a list shows it. */
export type ListedSession = z.infer<typeof listed>;

const columns = sql`
  s.id, s.user_id, s.client_id, s.provider, s.method, s.appid, s.ip, s.user_agent, s.created_at, s.rotated_at,
  s.idle_expires_at, s.expires_at, s.ended_at, s.end_reason, ${isLiveSql} AS is_live`;

/** The audit entry is written only when the session had not ended before. */
const endSql = (id: string, reason: string): Sql => sql`
  WITH ended AS (
    ${endSessionsSql(sql`s.id = ${id}`, reason)}
  ), audited AS (
    ${insertAudit(
      { action: 'session.ended', detail: { reason } },
      { from: sql`ended`, userId: sql`ended.user_id`, sessionId: sql`ended.id` },
    )}
  )
  SELECT EXISTS (SELECT 1 FROM iam.sessions WHERE id = ${id}) AS is_known`;

/** Sessions as administrators see and end them. */
@Injectable()
export class SessionList {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly check: SessionCheck,
  ) {}

  async page(filter: SessionFilter, page: PageRequest): Promise<ListedSession[]> {
    const source = { columns, from: sql`iam.sessions s`, key: 's.id' };
    return queryRows(this.dataSource, listed, keysetSql(source, filtersOf(filter), page));
  }

  /** How many live sessions a user has. */
  async countLive(userId: string): Promise<number> {
    const count = sql`SELECT count(*)::int AS live FROM iam.sessions s WHERE s.user_id = ${userId} AND ${isLiveSql}`;
    return (await queryRow(this.dataSource, z.object({ live: z.number() }), count))?.live ?? 0;
  }

  /** The user of a session; null: no such session. */
  async findOwner(id: string): Promise<string | null> {
    const owner = sql`SELECT user_id FROM iam.sessions WHERE id = ${id}`;
    const row = z.object({ user_id: z.string() });
    return isUuid(id) ? ((await queryRow(this.dataSource, row, owner))?.user_id ?? null) : null;
  }

  /** Ends a session, once; false: no such session. */
  async end(id: string, reason: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const row = await queryRow(this.dataSource, z.object({ is_known: z.boolean() }), endSql(id, reason));
    this.check.forget(id);
    return row?.is_known === true;
  }
}

function filtersOf({ user, client, provider, method, live }: SessionFilter): ListFilter[] {
  return [
    ...filterBy(user, (id) => sql`s.user_id = ${id}`),
    ...filterBy(client, (id) => sql`s.client_id = ${id}`),
    ...filterBy(provider, (slug) => sql`s.provider = ${slug}`),
    ...filterBy(method, (name) => sql`s.method = ${name}`),
    ...filterBy(live, (wanted) => sql`${isLiveSql} = ${wanted}::boolean`),
  ];
}
