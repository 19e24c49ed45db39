import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { filterBy, keysetSql, type ListFilter, type PageRequest } from '../database/sql-fragments.js';
import { queryRows, sql } from '../database/sql.js';

/** How the list of sign-in attempts is narrowed down; all that are given must be met. */
export interface LoginFilter {
  readonly status?: string | undefined;
  readonly error?: string | undefined;
  readonly provider?: string | undefined;
  readonly user?: string | undefined;
}

const listed = z.object({
  id: z.string(),
  status: z.string(),
  error: z.string().nullable(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  client_id: z.string(),
  user_id: z.string().nullable(),
  is_new_user: z.boolean(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  created_at: z.date(),
  scanned_at: z.date().nullable(),
  confirmed_at: z.date().nullable(),
  redeem_before: z.date().nullable(),
  age_seconds: z.number(),
});

/** A sign-in attempt as a list shows it: nothing that could be redeemed, and nothing that WeChat proved. */
export type ListedLogin = z.infer<typeof listed>;

const source = {
  columns: sql`
    l.id, l.status, l.error, l.provider, l.method, l.appid, l.client_id, l.user_id, l.is_new_user, l.ip, l.user_agent,
    l.created_at, l.scanned_at, l.confirmed_at, l.redeem_before,
    GREATEST(0, extract(epoch FROM now() - l.created_at))::int AS age_seconds`,
  from: sql`iam.logins l`,
  key: 'l.id',
};

/** Sign-in attempts of the last day as administrators see them. */
@Injectable()
export class LoginList {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** One round trip. */
  async page(filter: LoginFilter, page: PageRequest): Promise<ListedLogin[]> {
    return queryRows(this.dataSource, listed, keysetSql(source, filtersOf(filter), page));
  }
}

function filtersOf({ status, error, provider, user }: LoginFilter): ListFilter[] {
  return [
    ...filterBy(status, (name) => sql`l.status = ${name}`),
    ...filterBy(error, (code) => sql`l.error = ${code}`),
    ...filterBy(provider, (slug) => sql`l.provider = ${slug}`),
    ...filterBy(user, (id) => sql`l.user_id = ${id}`),
  ];
}
