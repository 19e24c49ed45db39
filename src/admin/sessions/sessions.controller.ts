import { Delete, Get, Param } from '@nestjs/common';
import { z } from 'zod';
import { plainText } from '../../database/database-errors.js';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser } from '../../http/parameter.decorators.js';
import { Query, ZodPipe } from '../../http/zod.pipe.js';
import { SessionList, type ListedSession } from '../../sessions/session-list.service.js';
import { AdminReach, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, pageOf, pageQuery, type Page } from '../page.js';

const sessionQuery = pageQuery.extend({
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

const sessionPage = pageOf(sessionItem);
type SessionItem = z.infer<typeof sessionItem>;

function toSessionItem(row: ListedSession): SessionItem {
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

const sessionPageExample: z.infer<typeof sessionPage> = {
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

/** Sessions: the list, and their end. */
@AdminController('sessions')
export class AdminSessionsController {
  constructor(
    private readonly sessions: SessionList,
    private readonly reach: AdminReach,
  ) {}

  @Endpoint({
    summary: 'Sessions, newest first',
    permission: 'iam:sessions:read',
    responses: { 200: sessionPage },
    example: sessionPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(sessionQuery)) query: z.infer<typeof sessionQuery>): Promise<Page<SessionItem>> {
    return idPage(query, (page) => this.sessions.page(query, page), toSessionItem);
  }

  @Endpoint({
    summary: 'End a session; its access tokens last until they expire, at once with `sessionCheck: always`',
    permission: 'iam:sessions:write',
    path: { id: 'The session' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    const owner = await this.sessions.findOwner(id);
    if (owner !== null) await this.reach.require(admin, [owner]);
    if (!(await this.sessions.end(id, 'ended_by_admin'))) throw new IamError('not_found', 'no such session');
  }
}
