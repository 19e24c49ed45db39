import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import { Forgeries } from '../../database/forgeries.service.js';
import { hasRow, queryRow, sql, type Sql } from '../../database/sql.js';
import { IamError, toErrorCode } from '../../errors/iam.error.js';
import { ClientRegistry } from '../../http/client-registry.service.js';
import type { IamRequest } from '../../http/iam-request.js';
import { describeAgent } from '../../http/user-agent.js';
import { isLiveSql, sessionProvenAtSql } from '../../sessions/session-statements.js';
import { type ActingSession, UserSessions } from '../../sessions/user-sessions.service.js';
import { keepPhoneNumber } from '../../users/change-user.js';
import { WechatGateway } from '../../wechat/wechat-gateway.service.js';
import { failureOf } from '../../http/to-iam-error.js';
import { IdentityProviders } from '../../identity-providers/identity-providers.service.js';
import type { RequestOrigin } from '../../runtime/request-context.js';
import { FailureLimits } from '../../sign-in/failure-limits.service.js';
import { LoginTokens, showUserCode } from '../codes-and-tokens.service.js';
import { LoginWatch } from '../login-watch.service.js';
import { quotableName } from '../../errors/unknown.js';
import {
  accountNickname,
  type Decider,
  type DecisionForm,
  type PhoneDecision,
  isConfirmedStep,
  phoneLoginRow,
  type PhoneLogin,
  PhoneLogins,
} from '../phone-logins.service.js';
import { QrLogins } from '../qr-logins.service.js';
import { COLLECT, LAST_POLL, linkOf, type QrLogin, qrStateOf, selectQrLogins } from '../qr-login.js';
import { isScene } from './mini.method.js';

/** A sign-in of another device as the mini program's page shows it. */
export const approvalResponse = z.object({
  id: z.uuid(),
  site: z.string(),
  application: z.string().optional().meta({
    description:
      'The application that the other device signs in to; absent for a link, and where it has no name of its own',
  }),
  browser: z.string().meta({ description: 'Browser and system of the other device, as it says of itself' }),
  address: z.string(),
  asked_at: z.iso.datetime(),
  expires_in: z.number().meta({ description: 'Seconds' }),
  user_code: z
    .string()
    .optional()
    .meta({ description: 'What the other device shows, to be compared; absent where the person types it' }),
  account: z.string().optional().meta({
    description: 'The nickname of the account that this WeChat would be linked to; absent for a sign-in',
  }),
});

/** See `approvalResponse`. */
export type Approval = Readonly<z.infer<typeof approvalResponse>>;

const claimRow = phoneLoginRow.extend({
  outcome: z.enum(['owned', 'taken', 'foreign', 'over']),
  scanner: z.string().nullable(),
  seconds_left: z.number(),
});

/**
 * The person of a live session that began in a mini program, and not by a scan of one, nor in a browser that a scan has let in: that
 * carries an `auth_time`, also after a merge has parted it from its browser. What WeChat proved then holds until it ends.
 */
const signerCte = ({ sessionId, userId }: ActingSession): Sql => sql`signer AS (
    SELECT s.user_id, s.appid, s.openid, ${sessionProvenAtSql('s')} AS proven_at FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
    WHERE s.id = ${sessionId} AND s.user_id = ${userId} AND s.method = 'mini' AND NOT s.by_scan AND s.auth_time IS NULL
      AND ${isLiveSql} AND u.status = 'active'
  )`;

/**
 * Claims a login as scanned for the person of a session, in one statement. The first one owns it. Only the app of the login proves a
 * person for it: the session must have begun in this mini program. WeChat proved the person when that session began: what the
 * person withdraws from then on ends this login too.
 */
const claimSql = (sceneHash: string, session: ActingSession): Sql => sql`
  WITH ${signerCte(session)}, target AS (
    ${selectQrLogins(sql`${accountNickname}, l.redeem_before`)} WHERE scene_hash = ${sceneHash} AND l.method = 'mini' FOR UPDATE OF l
  ), scanned AS (
    UPDATE iam.logins l
    SET status = 'scanned', openid = signer.openid, scanned_at = signer.proven_at,
        redeem_before = LEAST(GREATEST(l.redeem_before, now() + ${COLLECT}), l.attempt_ends_at)
    FROM target t, signer WHERE l.id = t.id AND t.status = 'pending' AND t.is_live AND l.appid = signer.appid
    RETURNING l.id, l.redeem_before
  ), verdict AS (
    SELECT t.*, signer.openid AS scanner, extract(epoch FROM COALESCE(s.redeem_before, t.redeem_before) - now())::float8 AS seconds_left,
      CASE WHEN s.id IS NOT NULL THEN 'owned'
           WHEN signer.openid IS NULL THEN 'foreign'
           WHEN t.status <> 'scanned' OR NOT t.is_live THEN 'over'
           WHEN t.openid = signer.openid THEN 'owned'
           ELSE 'taken' END AS outcome
    FROM target t LEFT JOIN scanned s ON s.id = t.id LEFT JOIN signer ON signer.appid = t.appid
  ), audited AS (
    ${insertAudit(
      { action: 'login.scanned' },
      {
        from: sql`verdict WHERE EXISTS (SELECT 1 FROM scanned) OR verdict.outcome IN ('foreign', 'taken')`,
        provider: sql`verdict.provider`,
        detail: sql`jsonb_build_object('openid', verdict.scanner, 'outcome', verdict.outcome, 'login', verdict.id)`,
      },
    )}
  )
  SELECT * FROM verdict`;

/**
 * The person of a session as the one who decides. They are signed in already, so to confirm a sign-in proves its user: its device begins
 * a session without another question to WeChat.
 */
function signerOf(loginId: string, session: ActingSession): Decider {
  const proves = sql`(${isConfirmedStep} AND l.link_session_id IS NULL)`;
  return {
    ctes: sql`${signerCte(session)},`,
    login: sql`id = ${loginId} AND l.method = 'mini' AND scene_hash IS NOT NULL`,
    openid: sql`(SELECT signer.openid FROM signer WHERE signer.appid = l.appid)`,
    from: sql`, signer`,
    status: sql`CASE WHEN l.link_session_id IS NULL THEN 'authenticated' ELSE 'confirmed' END`,
    columns: sql`, user_id = CASE WHEN ${proves} THEN signer.user_id ELSE l.user_id END,
        redeem_before = CASE WHEN ${proves} THEN GREATEST(l.redeem_before, now() + ${LAST_POLL}) ELSE l.redeem_before END`,
    effects: sql`, authenticated AS (
      ${insertAudit(
        { action: 'login.authenticated' },
        {
          from: sql`decided WHERE decided.status = 'authenticated'`,
          userId: sql`decided.user_id`,
          clientId: sql`decided.client_id`,
          provider: sql`decided.provider`,
          detail: sql`jsonb_build_object('method', decided.method, 'appid', decided.appid) || COALESCE(decided.subject, '{}')`,
        },
      )}
    )`,
  };
}

/** Sign-ins of other devices that people answer in a mini program. */
@Injectable()
export class Approvals {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly registry: ClientRegistry,
    private readonly phones: PhoneLogins,
    private readonly watch: LoginWatch,
    private readonly tokens: LoginTokens,
    private readonly failures: FailureLimits,
    private readonly forgeries: Forgeries,
    private readonly providers: IdentityProviders,
    private readonly logins: QrLogins,
    private readonly sessions: UserSessions,
    private readonly gateway: WechatGateway,
  ) {}

  /** @throws IamError `not_found`, `approval_forbidden`, `approval_over`, or why the row admits no sign-in any more */
  async open(scene: string, session: ActingSession, { origin, language }: IamRequest): Promise<Approval> {
    if (!isScene(scene)) this.forgeries.count(origin);
    const row = isScene(scene)
      ? await queryRow(this.dataSource, claimRow, claimSql(sha256(scene), session))
      : null;
    if (row === null) throw new IamError('not_found', 'no login has this scene');
    const { outcome, scanner, seconds_left: left, ...login } = row;
    if (outcome === 'foreign') throw foreign();
    if (outcome !== 'owned') throw over(login);
    this.watch.note(login.id, { status: 'scanned', openid: scanner });
    const typed = login.confirmation === 'number';
    const code = this.tokens.userCodeOf(login);
    const isLink = linkOf(login) !== undefined;
    const application = isLink ? null : this.registry.nameOf(login.client_id);
    return {
      id: login.id,
      site: this.options.siteName,
      ...(application !== null && { application }),
      browser: describeAgent(login.user_agent, language),
      address: login.ip ?? '',
      asked_at: login.created_at.toISOString(),
      expires_in: Math.floor(left),
      ...(!typed && { user_code: code === null ? (login.user_code ?? '') : showUserCode(code) }),
      ...(isLink && { account: quotableName(login.account_nickname) ?? '' }),
    };
  }

  /**
   * The decision of the person who has opened it. The same decision again is no error: its response may have been lost.
   * With the code of the phone button, the number and the confirmation are stored together or not at all.
   * @throws IamError `not_found`, `approval_forbidden`, `approval_over`, `user_code_invalid`, `access_denied` after the last wrong number,
   * `phone_code_invalid` or `phone_number_taken`
   */
  async decide(
    id: string,
    session: ActingSession,
    form: ApprovalForm,
    origin: RequestOrigin,
  ): Promise<'confirmed' | 'denied'> {
    const { phoneCode } = form;
    const decided = !isUuid(id)
      ? null
      : phoneCode === undefined || form.decision === 'deny'
        ? await this.phones.decide(signerOf(id, session), form)
        : await this.confirmWithNumber(id, session, { ...form, phoneCode }, origin);
    if (decided === null) throw new IamError('not_found', 'no such approval');
    const { login, outcome, decider } = decided;
    if (decider === null) throw foreign();
    if (outcome === null && login.openid === decider && isRepeated(login, form)) return ends[form.decision];
    if (outcome === null) throw over(login);
    if (outcome === 'wrong') throw new IamError('user_code_invalid', 'not the number that the device shows');
    if (outcome === 'denied') this.watch.hint(login.id);
    else
      this.watch.note(login.id, {
        status: linkOf(login) === undefined ? 'authenticated' : outcome,
        openid: decider,
      });
    if (outcome !== ends[form.decision]) throw new IamError('access_denied', 'the last wrong number');
    return outcome;
  }

  /** A phone code costs money and works once: it is spent only on a login that waits for this person, with the right number. */
  private async confirmWithNumber(
    id: string,
    session: ActingSession,
    form: ApprovalForm & { readonly phoneCode: string },
    origin: RequestOrigin,
  ): Promise<PhoneDecision | null> {
    const { appid, openid } = await this.sessions.getSubject(session);
    const [rows, login] = await Promise.all([this.providers.listEnabled(), this.logins.find(id)]);
    const app = rows.find(({ mini }) => mini?.appid === appid)?.mini;
    const isTheirs = login !== null && login.openid === openid && login.appid === appid;
    if (app == null || !isTheirs || !(await this.takesNumber(login, session, form)))
      return this.phones.decide(signerOf(id, session), form);
    const by = { origin, at: appid, provider: login.provider };
    const phoneNumber = await this.failures.guard(by, { ofThrown: failureOf }, () =>
      this.gateway.readPhoneNumber(app, form.phoneCode, openid),
    );
    return this.sessions.act(session, async (manager) => {
      const decided = await this.phones.decide(signerOf(id, session), form, manager);
      const phone = { phoneNumber, appid, isUnique: this.options.phone.unique };
      if (decided?.outcome === 'confirmed' || (decided?.outcome === null && isRepeated(decided.login, form)))
        await keepPhoneNumber(manager, session.userId, { phone, provider: login.provider });
      return decided;
    });
  }

  /** Whether a number is wanted: by a login that waits, or by a confirmation that is repeated and had none. */
  private async takesNumber(login: QrLogin, { userId }: ActingSession, form: ApprovalForm): Promise<boolean> {
    if (qrStateOf(login) === 'scanned') return this.phones.agrees(login, form.typed);
    return isRepeated(login, form) && !(await hasRow(this.dataSource, numberOfSql(login.id, userId)));
  }
}

/** The number that came with the confirmation of a login, or after it. */
const numberOfSql = (loginId: string, userId: string): Sql => sql`
  SELECT 1 FROM iam.logins l JOIN iam.users u ON u.id = ${userId} AND u.phone_appid = l.appid AND u.phone_verified_at >= l.confirmed_at
  WHERE l.id = ${loginId}`;

/** A decision, and the code of the phone button whose number comes with it. */
type ApprovalForm = DecisionForm & { readonly phoneCode?: string | undefined };

const ends = { confirm: 'confirmed', deny: 'denied' } as const;

/** The decision that was made is this one. */
function isRepeated({ status }: QrLogin, { decision }: DecisionForm): boolean {
  return decision === 'deny'
    ? status === 'denied'
    : ['confirmed', 'authenticated', 'consumed'].includes(status);
}

function foreign(): IamError {
  return new IamError('approval_forbidden', 'the token did not begin in the mini program of this login');
}

function over(login: PhoneLogin): IamError {
  const state = qrStateOf(login);
  if (state === 'failed')
    return new IamError(toErrorCode(login.error), `the login ended: ${login.error ?? ''}`);
  return new IamError('approval_over', `the login is ${state}`);
}
