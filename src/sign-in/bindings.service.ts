import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { Mac } from '../crypto/key-ring.js';
import { execute, queryRow } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { subjectSchema, type Subject } from '../users/subject.js';
import { bindSql, resumeSql, startBindingSql } from './login-statements.js';
import { mintLoginToken, readLoginToken } from './login-token.js';

/** Who brings a binding token; what is undefined is not known, and not asked for. */
export interface BindingBearer {
  readonly clientId?: string | undefined;
  /** Whether the browser carries the attempt with this hash. */
  readonly holdsAttempt?: ((hash: string) => boolean) | undefined;
}

const BINDING_SECONDS = 600;
const RESUME_SECONDS = 60;

const idRow = z.object({ id: z.string() });
const bound = z.object({
  subject: subjectSchema,
  client_id: z.string(),
  /** Null where no browser of ours signed in: the code of an app, and a client that polls for tokens. */
  attempt_hash: z.string().nullable(),
});

/** Sign-ins of people whom WeChat has proved and who have yet to be connected to an account of the host. */
@Injectable()
export class Bindings {
  private readonly tokens: Mac;

  constructor(
    @Inject(IAM_OPTIONS) { keyRing }: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.tokens = new Mac(keyRing, 'binding-token');
  }

  /** @throws IamError `binding_required` with a `binding_token`, or `invalid_grant` */
  async require(loginId: string): Promise<never> {
    const row = await queryRow(this.dataSource, idRow, startBindingSql(loginId, BINDING_SECONDS));
    if (row === null) throw new IamError('invalid_grant', 'another request redeemed the code first');
    throw new IamError('binding_required', 'this person has yet to be connected to an account of the host', {
      members: { binding_token: mintLoginToken(this.tokens, loginId), expires_in: BINDING_SECONDS },
    });
  }

  /**
   * Redeems a binding token in the transaction that links its subject to a user; a refusal leaves the token good.
   * @throws IamError `binding_token_invalid`
   */
  async redeem(
    manager: EntityManager,
    bindingToken: string,
    userId: string,
    bearer: BindingBearer,
  ): Promise<Subject> {
    const loginId = readLoginToken(this.tokens, bindingToken);
    if (loginId === null) throw new IamError('binding_token_invalid', 'not a binding token of ours');
    const row = await queryRow(manager, bound, bindSql(loginId, userId));
    if (row === null)
      throw new IamError(
        'binding_token_invalid',
        'the binding token was used or has expired, or its row is disabled',
      );
    checkBearer(row, bearer);
    return row.subject;
  }

  /**
   * Lets the sign-in behind a binding token that this transaction has redeemed go on: its client repeats the token
   * request that was answered `binding_required`, with the same proof (PKCE or `device_code`), and gets tokens once.
   */
  async resume(manager: EntityManager, bindingToken: string, userId: string): Promise<void> {
    const loginId = readLoginToken(this.tokens, bindingToken);
    await execute(manager, resumeSql(loginId, userId, RESUME_SECONDS));
  }
}

/**
 * A binding token is good for the client that was asked to bind, and for the browser that signed in, where there was one:
 * else people could be led to put somebody else's WeChat into their account.
 */
function checkBearer(row: z.infer<typeof bound>, { clientId, holdsAttempt }: BindingBearer): void {
  if (clientId !== undefined && clientId !== row.client_id)
    throw new IamError('binding_token_invalid', 'the binding token belongs to another client');
  if (row.attempt_hash !== null && holdsAttempt?.(row.attempt_hash) === false)
    throw new IamError('binding_token_invalid', 'another browser signed in');
}
