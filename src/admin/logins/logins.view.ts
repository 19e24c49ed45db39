import { z } from 'zod';
import type { ListedLogin } from '../../sign-in/login-list.service.js';
import { pageOf, pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

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

/** `GET /admin/logins`. */
export const loginQuery = pageQuery.extend({
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

/** What `GET /admin/logins` answers. */
export const loginPage = pageOf(loginItem);

/** A sign-in attempt as the admin API shows it. */
export function toLoginItem(row: ListedLogin): z.infer<typeof loginItem> {
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

/** An answer as a front-end gets it. */
export const loginPageExample: z.infer<typeof loginPage> = {
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
