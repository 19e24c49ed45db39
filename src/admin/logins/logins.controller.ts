import { Get } from '@nestjs/common';
import { z } from 'zod';
import { plainText } from '../../database/database-errors.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Query, ZodPipe } from '../../http/zod.pipe.js';
import { LoginList, type ListedLogin } from '../../sign-in/login-list.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, pageOf, pageQuery, type Page } from '../page.js';

const statuses = [
  'pending',
  'scanned',
  'confirmed',
  'authenticated',
  'binding',
  'consumed',
  'denied',
  'failed',
  'expired',
] as const;

const loginQuery = pageQuery.extend({
  status: z.enum(statuses).optional(),
  error: plainText(64).optional().describe('The error code that it ended with'),
  provider: plainText(64).optional().describe('Slug of an identity provider'),
  user: z.uuid().optional().describe('Id of a user'),
});

const loginItem = z.object({
  id: z.uuid(),
  status: z.string(),
  error: z.string().nullable(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  client_id: z.string(),
  user_id: z.uuid().nullable(),
  new_user: z.boolean(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  age_seconds: z.number(),
  created_at: z.iso.datetime(),
  scanned_at: z.iso.datetime().nullable(),
  confirmed_at: z.iso.datetime().nullable(),
  redeem_before: z.iso.datetime().nullable(),
});

const loginPage = pageOf(loginItem);
type LoginItem = z.infer<typeof loginItem>;

function toLoginItem(row: ListedLogin): LoginItem {
  return {
    id: row.id,
    status: row.status,
    error: row.error,
    provider: row.provider,
    method: row.method,
    appid: row.appid,
    client_id: row.client_id,
    user_id: row.user_id,
    new_user: row.is_new_user,
    ip: row.ip,
    user_agent: row.user_agent,
    age_seconds: row.age_seconds,
    created_at: row.created_at.toISOString(),
    scanned_at: row.scanned_at?.toISOString() ?? null,
    confirmed_at: row.confirmed_at?.toISOString() ?? null,
    redeem_before: row.redeem_before?.toISOString() ?? null,
  };
}

const loginPageExample: z.infer<typeof loginPage> = {
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
};

/** Sign-in attempts: pending, failed, and the error. */
@AdminController('logins')
export class AdminLoginsController {
  constructor(private readonly logins: LoginList) {}

  @Endpoint({
    summary: 'Sign-in attempts of the last day, newest first',
    permission: 'iam:logins:read',
    responses: { 200: loginPage },
    example: loginPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(loginQuery)) query: z.infer<typeof loginQuery>): Promise<Page<LoginItem>> {
    return idPage(query, (page) => this.logins.page(query, page), toLoginItem);
  }
}
