import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { queryRows } from '../database/sql.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions } from '../sessions/user-sessions.service.js';
import { Profiles } from '../users/profiles.service.js';
import { actingSession } from '../sessions/acting-session.js';
import { exportStatements, MOST_EXPORTED } from './export-statements.js';

const rows = z.array(z.record(z.string(), z.unknown()));

/** Everything held about a person, in the words of the tables. */
export const exportResponse = z.object({
  exported_at: z.iso.datetime(),
  profile: z.record(z.string(), z.unknown()),
  identities: rows,
  roles: rows,
  sessions: rows,
  sign_ins: rows.meta({ description: 'Of the last day' }),
  messages: rows.meta({ description: 'Messages and events of Official Accounts, of the last days' }),
  audit: rows,
  truncated: z
    .array(z.string())
    .meta({ description: `Kinds of which there are more than ${MOST_EXPORTED}: the newest are given` }),
});

/** What somebody takes along who has signed in once. */
export const exportExample: z.infer<typeof exportResponse> = {
  exported_at: '2026-01-31T08:00:00.000Z',
  profile: { id: '0198c0de-0000-7000-8000-000000000001', nickname: '小兰' },
  identities: [
    { provider: 'wechat', kind: 'open', appid: 'wx0000000000000001', openid: 'oBt1…', unionid: null },
  ],
  roles: [],
  sessions: [{ id: '0198c0de-0000-7000-8000-000000000002', client_id: 'web', method: 'open' }],
  sign_ins: [],
  messages: [],
  audit: [{ action: 'login.succeeded', provider: 'wechat' }],
  truncated: [],
};

type Kind = keyof ReturnType<typeof exportStatements>;
type Rows = z.infer<typeof rows>;

/** `/me/export`: a copy of one's data (GDPR articles 15 and 20, PIPL article 45), of bounded size. */
@Injectable()
export class AccountExport {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly profiles: Profiles,
    private readonly sessions: UserSessions,
    private readonly clock: Clock,
  ) {}

  /** The openids and addresses in it are for a session that lives. @throws IamError `invalid_token` or `user_disabled` */
  async export(user: AuthenticatedUser): Promise<IamResponse> {
    const { userId, sessionId } = actingSession(user);
    await this.sessions.getSubject({ userId, sessionId });
    const profile = await this.profiles.get(userId);
    const { sections, truncated } = await inLongJob(() => this.read(userId));
    await recordAudit(this.dataSource, { action: 'user.exported', userId, sessionId });
    const exported_at = new Date(this.clock.now()).toISOString();
    return json({ exported_at, profile, ...sections, truncated }, 200, {
      'Content-Disposition': 'attachment; filename="account.json"',
    });
  }

  /** One kind after the other, so that an export takes one connection of the pool. */
  private async read(userId: string): Promise<{ sections: Record<string, Rows>; truncated: Kind[] }> {
    const sections: Record<string, Rows> = {};
    const truncated: Kind[] = [];
    const statements = exportStatements(userId);
    for (const kind of kinds) {
      const found = await queryRows(this.dataSource, rows.element, statements[kind]);
      if (found.length > MOST_EXPORTED) truncated.push(kind);
      sections[kind] = found.slice(0, MOST_EXPORTED);
    }
    return { sections, truncated };
  }
}

const kinds = ['identities', 'roles', 'sessions', 'sign_ins', 'messages', 'audit'] as const satisfies Kind[];
