import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { empty, json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import { describeAgent, type Language } from '../http/user-agent.js';
import type { IamRequest } from '../http/iam-request.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions, type UserSession, actingSession } from '../sessions/user-sessions.service.js';

const sessionView = z.object({
  id: z.uuid(),
  current: z.boolean().meta({ description: 'The session of this request' }),
  client_id: z.string(),
  provider: z.string(),
  method: z
    .string()
    .meta({ description: 'How it began: `open`, `mp`, `follow`, `device`, `mini` or `mobile`' }),
  device: z.string().meta({ description: 'Browser and system, by the User-Agent’s own claim' }),
  ip: z.string().nullable(),
  created_at: z.iso.datetime(),
  last_used_at: z.iso.datetime(),
  expires_at: z.iso.datetime().meta({ description: 'Unless it is refreshed before' }),
});

/** The live sessions of a user, the asking one first. */
export const sessionsResponse = z.object({ items: z.array(sessionView) });

/** How many other sessions were ended. */
export const endedResponse = z.object({ ended: z.number().int() });

/** `/me/sessions`. */
@Injectable()
export class MeSessions {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly sessions: UserSessions,
    private readonly cookies: SessionCookies,
  ) {}

  async list(user: AuthenticatedUser, { language }: IamRequest): Promise<IamResponse> {
    const sessions = await this.sessions.list(actingSession(user));
    return json({ items: sessions.map((session) => toView(session, user, language)) });
  }

  async end(id: string, user: AuthenticatedUser, request: IamRequest): Promise<IamResponse> {
    await this.sessions.end(id, actingSession(user));
    return { ...empty(204), cookies: this.cookies.clearOf(id, request) };
  }

  async endOthers(user: AuthenticatedUser): Promise<IamResponse> {
    const acting = actingSession(user);
    const ended = await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      return this.sessions.endOthers(manager, acting, 'ended_by_user');
    });
    return json({ ended });
  }
}

function toView(
  session: UserSession,
  { sessionId }: AuthenticatedUser,
  language: Language,
): z.infer<typeof sessionView> {
  return {
    id: session.id,
    current: session.id === sessionId,
    client_id: session.client_id,
    provider: session.provider,
    method: session.method,
    device: describeAgent(session.user_agent, language),
    ip: session.ip,
    created_at: session.created_at.toISOString(),
    last_used_at: session.last_used_at.toISOString(),
    expires_at: session.expires_at.toISOString(),
  };
}
