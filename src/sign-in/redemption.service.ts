import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { constantTimeEqual, pkceChallenge } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { queryRow } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { AccessTokenClaims } from '../sessions/access-tokens.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { Bindings } from './bindings.service.js';
import { beginSessionSql, holdLoginSql, redeemableSql, settleRepeatedCodeSql } from './login-statements.js';
import { readLoginToken } from './login-token.js';

/** What a client brings to `/token` for a code. */
export interface CodeRedemption {
  readonly code: string;
  readonly clientId: string;
  readonly redirectUri: string | undefined;
  readonly codeVerifier: string;
}

/** A session that has just begun, or that its code is answered with again. */
export interface BegunSession extends AccessTokenClaims {
  readonly provider: string;
  readonly isNewUser: boolean;
  /** How often its refresh token has rotated: more than never only when the answer is a repetition. */
  readonly generation: number;
  /** The answer to the same code was given before: the client lost it, or asked twice. */
  readonly isRepeated: boolean;
}

/** Past this many repetitions of one answer the grace is being abused. */
const MOST_REPETITIONS = 100;

const redeemable = z.object({
  status: z.string(),
  client_id: z.string(),
  redirect_uri: z.string().nullable(),
  code_challenge: z.string().nullable(),
  user_id: z.string().nullable(),
  user_status: z.string().nullable(),
  is_live: z.boolean(),
});
type Redeemable = z.infer<typeof redeemable>;
const heldRow = z.object({ id: z.string() });
const repeated = z.object({ session_id: z.string(), generation: z.number() });
const begun = z.object({
  user_id: z.string(),
  client_id: z.string(),
  provider: z.string(),
  is_new_user: z.boolean(),
  method: z.string(),
  created_at: z.date(),
  roles: z.array(z.string()),
});

/** Turns an authenticated login into a session, once. */
@Injectable()
export class Redemption {
  private readonly codes: Mac;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly bindings: Bindings,
  ) {
    this.codes = new Mac(options.keyRing, 'login-code');
  }

  /** Whether this is a code that we issued, whatever became of it. */
  isOurs(code: string): boolean {
    return readLoginToken(this.codes, code) !== null;
  }

  /**
   * Redeems a one-time code; two round trips. A reload, two tabs or a lost response bring a code again: for
   * `tokens.refreshGrace` seconds the answer is repeated, later the session that the code began ends.
   * @throws IamError `invalid_grant`, `user_disabled`, or `binding_required` with a `binding_token`
   */
  async redeemCode(redemption: CodeRedemption, origin: RequestOrigin): Promise<BegunSession> {
    const loginId = readLoginToken(this.codes, redemption.code);
    if (loginId === null) throw new IamError('invalid_grant', 'not a code of ours');
    const login = await queryRow(this.dataSource, redeemable, redeemableSql(loginId));
    if (login === null) throw new IamError('invalid_grant', 'the code is too old');
    checkPossession(login, redemption);
    if (login.status === 'consumed') return this.repeat(loginId, redemption.clientId);
    const session = await this.redeem(loginId, login, origin);
    return session ?? this.repeat(loginId, redemption.clientId);
  }

  /**
   * The login of a code that comes back to our own device page: it waits there for the person's decision, no longer than so many
   * seconds, and is still redeemed once. @throws IamError `invalid_grant`
   */
  async holdCode(redemption: CodeRedemption, seconds: number): Promise<string> {
    const loginId = readLoginToken(this.codes, redemption.code);
    const login =
      loginId === null ? null : await queryRow(this.dataSource, redeemable, redeemableSql(loginId));
    if (loginId === null || login === null) throw new IamError('invalid_grant', 'not a code of ours');
    checkPossession(login, redemption);
    if (!(await queryRow(this.dataSource, heldRow, holdLoginSql(loginId, seconds))))
      throw new IamError('invalid_grant', 'the login was redeemed or has expired');
    return loginId;
  }

  /**
   * Begins the session of a login that needs no code of ours: a `device_code`, or the code of an app, was the proof.
   * @throws IamError `invalid_grant`, `user_disabled`, or `binding_required` with a `binding_token`
   */
  async redeemProven(loginId: string, origin: RequestOrigin): Promise<BegunSession> {
    const login = await queryRow(this.dataSource, redeemable, redeemableSql(loginId));
    if (login === null) throw new IamError('invalid_grant', 'the device code is too old');
    const session = await this.redeem(loginId, login, origin);
    if (session === null) throw new IamError('invalid_grant', 'another request redeemed the login first');
    return session;
  }

  /** Null: another request was first. */
  private async redeem(
    loginId: string,
    login: Redeemable,
    origin: RequestOrigin,
  ): Promise<BegunSession | null> {
    if (login.status !== 'authenticated' || !login.is_live)
      throw new IamError('invalid_grant', 'the login was redeemed or has expired');
    if (login.user_id === null) return this.bindings.require(loginId);
    if (login.user_status !== 'active')
      throw new IamError('user_disabled', `user ${login.user_id} is ${login.user_status ?? 'gone'}`);
    return this.beginSession(loginId, login.client_id, origin);
  }

  private async beginSession(
    loginId: string,
    clientId: string,
    origin: RequestOrigin,
  ): Promise<BegunSession | null> {
    const sessionId = uuidv7();
    const { idle, absolute } = this.options.tokens;
    const begin = () =>
      queryRow(
        this.dataSource,
        begun,
        beginSessionSql(
          loginId,
          { id: sessionId, idle, absolute, origin },
          { action: 'session.started', clientId },
        ),
      );
    // A user who was merged while the first try waited for their lock is found by the second.
    const row = (await begin()) ?? (await begin());
    if (row === null) return null;
    this.telemetry.signedIn(row);
    return { ...toSession(row), sessionId, generation: 0, isRepeated: false };
  }

  private async repeat(loginId: string, clientId: string): Promise<BegunSession> {
    const grace = { seconds: this.options.tokens.refreshGrace, uses: MOST_REPETITIONS };
    const settle = settleRepeatedCodeSql(loginId, grace, { action: 'session.code_reused', clientId });
    const row = await queryRow(this.dataSource, begun.extend(repeated.shape), settle);
    if (row === null) throw new IamError('invalid_grant', 'the login was redeemed');
    return {
      ...toSession(row),
      sessionId: row.session_id,
      generation: row.generation,
      isRepeated: true,
    };
  }
}

function toSession(
  row: z.infer<typeof begun>,
): Omit<BegunSession, 'sessionId' | 'generation' | 'isRepeated'> {
  return {
    userId: row.user_id,
    clientId: row.client_id,
    provider: row.provider,
    isNewUser: row.is_new_user,
    roles: row.roles,
    method: row.method,
    signedInAt: row.created_at,
  };
}

/** Client, redirect_uri and PKCE, before the row's status says anything (RFC 7636 §4.6, RFC 9700 §4.5). */
function checkPossession(login: Redeemable, redemption: CodeRedemption): void {
  if (login.client_id !== redemption.clientId)
    throw new IamError('invalid_grant', 'the code belongs to another client');
  if (redemption.redirectUri !== undefined && redemption.redirectUri !== login.redirect_uri) {
    throw new IamError('invalid_grant', 'redirect_uri differs from the authorization request');
  }
  if (!constantTimeEqual(login.code_challenge ?? '', pkceChallenge(redemption.codeVerifier))) {
    throw new IamError('invalid_grant', 'code_verifier does not match');
  }
}
