import { z } from 'zod';
import type { ListedSession } from '../../sessions/session-list.service.js';
import { pageOf, pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

/** `GET /admin/sessions`. */
export const sessionQuery = pageQuery.extend({
  user: z.uuid().optional().describe('Id of a user'),
  client: plainText(256).optional().describe('client_id of a front-end'),
  provider: plainText(64).optional().describe('Slug of an identity provider'),
  method: plainText(16).optional().describe('open, mp, follow, device, mini or mobile'),
  live: z.stringbool().optional().describe('true: can still be refreshed; false: is over'),
});

const sessionItem = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  client_id: z.string(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  live: z.boolean(),
  created_at: z.iso.datetime(),
  last_used_at: z.iso.datetime(),
  idle_expires_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  end_reason: z.string().nullable(),
});

/** What `GET /admin/sessions` answers. */
export const sessionPage = pageOf(sessionItem);

/** A session as the admin API shows it. */
export function toSessionItem(row: ListedSession): z.infer<typeof sessionItem> {
  return {
    id: row.id,
    user_id: row.user_id,
    client_id: row.client_id,
    provider: row.provider,
    method: row.method,
    appid: row.appid,
    ip: row.ip,
    user_agent: row.user_agent,
    live: row.is_live,
    created_at: row.created_at.toISOString(),
    last_used_at: (row.rotated_at ?? row.created_at).toISOString(),
    idle_expires_at: row.idle_expires_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
    end_reason: row.end_reason,
  };
}

/** An answer as a front-end gets it. */
export const sessionPageExample: z.infer<typeof sessionPage> = {
  items: [
    {
      id: '01939a3c-5e80-7aaa-9c1e-0f1e2d3c4b5a',
      user_id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
      client_id: 'web',
      provider: 'wechat',
      method: 'open',
      appid: 'wx0123456789abcdef',
      ip: '203.0.113.7',
      user_agent: 'Mozilla/5.0 …',
      live: true,
      created_at: '2026-11-22T08:00:00.000Z',
      last_used_at: '2026-11-22T09:30:00.000Z',
      idle_expires_at: '2026-12-22T09:30:00.000Z',
      expires_at: '2027-02-20T08:00:00.000Z',
      ended_at: null,
      end_reason: null,
    },
  ],
  next_cursor: null,
};
