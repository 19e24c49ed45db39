import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { sql, type Sql, queryRow, queryRows } from '../database/sql.js';
import { recordAudit } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import { Profiles } from '../users/profiles.service.js';

/** An export has at most this many rows of one kind, the newest. */
const MOST_EXPORTED = 1_000;

/** The user and those merged into them, who keep their old rows. */
const personSql = (userId: string): Sql =>
  sql`person AS (SELECT id FROM iam.users WHERE id = ${userId} OR merged_into = ${userId})`;

const newest = sql`LIMIT ${MOST_EXPORTED + 1}`;

const byThePerson = sql`(a.actor IS NULL OR a.actor IN (SELECT 'user:' || id FROM person) OR a.actor IN (
    SELECT 'api_key:' || k.id FROM iam.api_keys k JOIN person ON k.user_id = person.id))`;
const isTheirSession = sql`a.session_id IN (SELECT s.id FROM iam.sessions s JOIN person ON s.user_id = person.id)`;

/** Everything stored about a person, by kind, without tokens, codes and their hashes. */
function exportStatements(userId: string) {
  const person = personSql(userId);
  return {
    identities: sql`WITH ${person}
    SELECT id, provider, app_kind AS kind, appid, openid, union_scope, unionid,
           ARRAY(SELECT c.union_scope FROM iam.identity_unions c WHERE c.identity_id = identities.id ORDER BY 1) AS union_scopes, follows, follow_changed_at,
           profile_read_at, withdrawn_at, created_at AS linked_at,
           ARRAY(SELECT jsonb_build_object('appid', m.to_appid, 'openid', m.to_openid, 'outcome', m.outcome, 'answered_at', m.answered_at)
                 FROM iam.openid_moves m WHERE m.identity_id = identities.id ORDER BY m.to_appid) AS moves
    FROM iam.identities WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    roles: sql`SELECT role AS name, created_at AS given_at FROM iam.user_roles WHERE user_id = ${userId} ORDER BY role ${newest}`,
    consents: sql`SELECT client_id, scopes, resources, created_at, updated_at FROM iam.consents WHERE user_id = ${userId} ORDER BY client_id ${newest}`,
    sessions: sql`WITH ${person}
    SELECT id, client_id, provider, method, appid, openid, scope, resources, ip, user_agent, created_at, rotated_at AS refreshed_at,
           idle_expires_at, expires_at, ended_at, end_reason
    FROM iam.sessions WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    browser_sessions: sql`WITH ${person}
    SELECT id, provider, method, appid, openid, ip, user_agent, created_at, auth_time AS signed_in_at, last_used_at, idle_expires_at,
           expires_at, ended_at, end_reason
    FROM iam.browser_sessions WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    api_keys: sql`WITH ${person}
    SELECT id, name, prefix, permissions, created_at, expires_at, last_used_at, ended_at, end_reason
    FROM iam.api_keys WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    sign_ins: sql`WITH ${person}
    SELECT id, client_id, provider, method, appid, openid, scope, resources, status, error, ip, user_agent, created_at, scanned_at,
           confirmed_at, expires_at
    FROM iam.logins WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    messages: sql`WITH ${person}
    SELECT e.id, e.provider, e.event, e.openid, e.event_at, e.message, e.received_at
    FROM iam.webhook_events e
    WHERE e.openid IN (SELECT i.openid FROM iam.identities i JOIN person ON i.user_id = person.id)
    ORDER BY e.id DESC ${newest}`,
    // An administrator's address is the administrator's data, not the user's.
    audit: sql`WITH ${person}
    SELECT a.id, a.at, a.action, CASE WHEN ${byThePerson} OR ${isTheirSession} THEN a.session_id END AS session_id, a.client_id,
           a.provider, CASE WHEN ${byThePerson} THEN a.ip END AS ip, CASE WHEN ${byThePerson} THEN a.user_agent END AS user_agent,
           CASE WHEN ${byThePerson} THEN a.detail ELSE a.detail - 'by_session' END AS detail
    FROM iam.audit_log a WHERE a.user_id IN (SELECT id FROM person) ORDER BY a.id DESC ${newest}`,
  } as const;
}

const phoneSource = z.object({ phone_appid: z.string().nullable() });

const rows = z.array(z.record(z.string(), z.unknown()));

/** Everything held about a person, in the words of the tables. */
export const exportResponse = z.object({
  exported_at: z.iso.datetime(),
  profile: z.record(z.string(), z.unknown()),
  identities: rows,
  roles: rows,
  consents: rows.meta({ description: 'Applications of third parties that the person has agreed to' }),
  sessions: rows,
  browser_sessions: rows.meta({
    description: 'Browsers in which they are signed in for applications with `sso`',
  }),
  api_keys: rows.meta({ description: 'Without the keys themselves' }),
  sign_ins: rows.meta({ description: 'Of the last day' }),
  messages: rows.meta({ description: 'Messages and events of Official Accounts, of the last days' }),
  audit: rows,
  truncated: z
    .array(z.string())
    .meta({ description: `Kinds of which there are more than ${MOST_EXPORTED}: the newest are given` }),
});

/** Of a user who has signed in once. */
export const exportExample: z.infer<typeof exportResponse> = {
  exported_at: '2026-01-31T08:00:00.000Z',
  profile: { id: '0198c0de-0000-7000-8000-000000000001', nickname: '小兰' },
  identities: [
    { provider: 'wechat', kind: 'open', appid: 'wx0000000000000001', openid: 'oBt1…', unionid: null },
  ],
  roles: [],
  consents: [],
  sessions: [{ id: '0198c0de-0000-7000-8000-000000000002', client_id: 'web', method: 'open' }],
  browser_sessions: [],
  api_keys: [],
  sign_ins: [],
  messages: [],
  audit: [{ action: 'session.started', provider: 'wechat' }],
  truncated: [],
};

type Kind = keyof ReturnType<typeof exportStatements>;

/** `/me/export`: a copy of one's data (GDPR articles 15 and 20, PIPL article 45), of bounded size. */
@Injectable()
export class AccountExport {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly profiles: Profiles,
    private readonly sessions: UserSessions,
    private readonly clock: Clock,
  ) {}

  /** For a live session only: the document has openids and addresses. @throws IamError `invalid_token` or `user_disabled` */
  async export(acting: ActingSession): Promise<z.infer<typeof exportResponse>> {
    const { userId, sessionId } = acting;
    await this.sessions.getSubject(acting);
    const profile = { ...(await this.profiles.get(userId)), ...(await this.findPhoneSource(userId)) };
    const sections = await inLongJob(() => this.read(userId));
    await recordAudit(this.dataSource, { action: 'user.exported', userId, sessionId });
    return { exported_at: new Date(this.clock.now()).toISOString(), profile, ...sections };
  }

  /** The mini program through which the number came, which `/me` does not show. */
  private async findPhoneSource(userId: string): Promise<z.infer<typeof phoneSource> | null> {
    return queryRow(
      this.dataSource,
      phoneSource,
      sql`SELECT phone_appid FROM iam.users WHERE id = ${userId}`,
    );
  }

  /** One kind after the other, so that an export takes one connection of the pool. */
  private async read(userId: string) {
    const statements = exportStatements(userId);
    const truncated: Kind[] = [];
    const newestOf = async (kind: Kind) => {
      const found = await queryRows(this.dataSource, rows.element, statements[kind]);
      if (found.length > MOST_EXPORTED) truncated.push(kind);
      return found.slice(0, MOST_EXPORTED);
    };
    const sections = {
      identities: await newestOf('identities'),
      roles: await newestOf('roles'),
      consents: await newestOf('consents'),
      sessions: await newestOf('sessions'),
      browser_sessions: await newestOf('browser_sessions'),
      api_keys: await newestOf('api_keys'),
      sign_ins: await newestOf('sign_ins'),
      messages: await newestOf('messages'),
      audit: await newestOf('audit'),
    };
    return { ...sections, truncated };
  }
}
