import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import { recordRefusal } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Mac } from '../crypto/key-ring.js';
import { queryRow } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { TokenSubject } from '../sessions/access-tokens.service.js';
import { toTokenSubject } from '../sessions/session-statements.js';
import { Sessions } from '../sessions/sessions.service.js';
import { Bindings } from './identity-links.service.js';
import { readLoginToken } from './login.js';
import {
  beginSessionSql,
  type begun,
  begunOrNot,
  type CodeRedemption,
  held,
  holdLoginSql,
  lockConsent,
  type notBegun,
  type Redeemable,
  redeemableSql,
  repeated,
  type SessionPlace,
  settleRepeatedCodeSql,
} from './redemption-statements.js';

/** A session that has just begun, or that a repeated code has begun before. */
export interface BegunSession extends TokenSubject {
  readonly provider: string;
  readonly isNewUser: boolean;
  readonly nonce?: string | undefined;
  /** How often its refresh token has rotated: more than never only for a repeated code. */
  readonly generation: number;
  /** The same code was redeemed before: the client lost the response, or sent the code twice. */
  readonly isRepeated: boolean;
}

/** More repetitions of one code are abuse of the grace. */
const MOST_REPETITIONS = 100;

/** Turns an authenticated login into a session, once. */
@Injectable()
export class Redemption {
  private readonly codes: Mac;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly bindings: Bindings,
    private readonly sessions: Sessions,
    private readonly clients: ClientRegistry,
  ) {
    this.codes = new Mac(options.keyRing, 'login-code');
  }

  /** Whether this is a code that we issued, whatever became of it. */
  isOurs(code: string): boolean {
    return readLoginToken(this.codes, code) !== null;
  }

  /**
   * Redeems a one-time code; one round trip. A reload, two tabs or a lost response bring a code again: for
   * `tokens.refreshGrace` seconds the response is repeated, later the session that the code began ends.
   * @throws IamError `invalid_grant`, `invalid_scope`, `invalid_target`, `user_disabled`, `session_limit_reached`, or `binding_required`
   * with a `binding_token`
   */
  async redeemCode(redemption: CodeRedemption, place: SessionPlace): Promise<BegunSession> {
    const loginId = this.readCode(redemption.code);
    const session = await this.begin({ loginId, ...place }, redemption);
    return session ?? this.repeat(loginId, redemption.clientId);
  }

  /**
   * The login of a code that comes back to our own device page: it waits there for the person's decision, no longer than so many
   * seconds, and is still redeemed once. @throws IamError `invalid_grant`
   */
  async holdCode(redemption: CodeRedemption, seconds: number): Promise<string> {
    const loginId = this.readCode(redemption.code);
    const login = await queryRow(this.dataSource, held, holdLoginSql(loginId, redemption, seconds));
    if (login === null) throw new IamError('invalid_grant', 'the code is too old');
    checkPossession(login);
    if (!login.is_held) throw new IamError('invalid_grant', 'the login was redeemed or has expired');
    return loginId;
  }

  /**
   * Begins the session of a login that needs no code of ours: a `device_code`, or the code of an app, was the proof.
   * @throws IamError `invalid_grant`, `invalid_scope`, `invalid_target`, `user_disabled`, `session_limit_reached`, or `binding_required`
   * with a `binding_token`
   */
  async redeemProven(loginId: string, place: SessionPlace): Promise<BegunSession> {
    const session = await this.begin({ loginId, ...place }, null);
    if (session === null) throw new IamError('invalid_grant', 'another request redeemed the login first');
    return session;
  }

  private readCode(code: string): string {
    const loginId = readLoginToken(this.codes, code);
    if (loginId === null) throw new IamError('invalid_grant', 'not a code of ours');
    return loginId;
  }

  /** Null: another request was first. */
  private async begin(
    place: SessionPlace & { readonly loginId: string },
    redemption: CodeRedemption | null,
  ): Promise<BegunSession | null> {
    const { tokens, sessions } = this.options;
    const sharing = this.clients.knownCookieClientIds;
    const session = {
      id: uuidv7(),
      ...tokens,
      limit: sessions.limit,
      sharing,
      consent: lockConsent(redemption?.admission),
      ...place,
    };
    const begin = beginSessionSql(redeemableSql(place.loginId, redemption, place.bounds), session);
    // A user who was merged while the first try waited for their lock is found by the second.
    for (let tries = 1; tries <= 2; tries += 1) {
      const row = await queryRow(this.dataSource, begunOrNot, begin);
      if (row === null) throw new IamError('invalid_grant', 'the login is too old');
      if ('user_id' in row) {
        this.telemetry.signInEnded(row, 'session');
        this.sessions.noteEnded(row.ended ?? []);
        return { ...toSession(row), sessionId: session.id, generation: 0, isRepeated: false };
      }
      checkPossession(row);
      if (row.has_room === false) await this.refuse(row);
      if (row.status === 'consumed') return null;
      await this.checkRedeemable(place.loginId, row);
    }
    return null;
  }

  /** The login is not consumed: its code works again once a session has ended. */
  private async refuse(row: z.infer<typeof notBegun>): Promise<never> {
    const { owner_id: userId = null, client_id: clientId, provider } = row;
    await recordRefusal(this.dataSource, { action: 'session.refused', userId, clientId, provider });
    this.telemetry.signInEnded(row, 'session_limit_reached');
    throw new IamError('session_limit_reached', `user ${userId ?? ''} may have no more sessions`);
  }

  private async checkRedeemable(loginId: string, login: Redeemable): Promise<void> {
    if (login.status !== 'authenticated' || !login.is_live)
      throw new IamError('invalid_grant', 'the login was redeemed or has expired');
    if (login.excess !== null)
      throw new IamError(login.excess, `more than login ${loginId} has, or nothing of it`);
    if (login.user_status === null) return this.bindings.require(loginId);
    if (login.user_status !== 'active')
      throw new IamError('user_disabled', `the user of login ${loginId} is ${login.user_status}`);
  }

  private async repeat(loginId: string, clientId: string): Promise<BegunSession> {
    const grace = { seconds: this.options.tokens.refreshGrace, uses: MOST_REPETITIONS };
    const settle = settleRepeatedCodeSql(loginId, grace, { action: 'session.code_reused', clientId });
    const row = await queryRow(this.dataSource, repeated, settle);
    if (row === null) throw new IamError('invalid_grant', 'the login was redeemed');
    return { ...toSession(row), sessionId: row.session_id, generation: row.generation, isRepeated: true };
  }
}

function toSession(
  row: z.infer<typeof begun>,
): Omit<BegunSession, 'sessionId' | 'generation' | 'isRepeated'> {
  const { provider, is_new_user: isNewUser, nonce } = row;
  return { ...toTokenSubject(row), provider, isNewUser, ...(nonce !== null && { nonce }) };
}

/** Before the login's status says anything. */
function checkPossession({ refusal }: Redeemable): void {
  if (refusal !== null) throw new IamError('invalid_grant', refusal);
}
