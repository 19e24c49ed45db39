import { Inject, Injectable } from '@nestjs/common';
import { DataSource, IsNull, type EntityManager } from 'typeorm';
import { v7 as uuidv7, validate as isUuid } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { inTransaction } from '../database/in-transaction.js';
import { queryRow } from '../database/query-rows.js';
import { readRequest } from '../http/iam-request.js';
import { IamError } from '../iam.error.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { Bindings } from '../logins/bindings.service.js';
import { Logins } from '../logins/logins.service.js';
import { AttemptCookies } from '../oauth/attempt-cookies.service.js';
import { defaultRolesSql } from '../roles/default-roles.js';
import { Sessions } from '../sessions/sessions.service.js';
import { IdentityEntity } from '../users/identity.entity.js';
import { UserEntity, type UserStatus } from '../users/user.entity.js';
import { Users } from '../users/users.service.js';

/** A user as the host sees them. */
export interface IamUser {
  readonly id: string;
  /** The id under which the host knows this user. */
  readonly externalId: string | null;
  readonly nickname: string | null;
  readonly avatarUrl: string | null;
  readonly status: UserStatus;
  readonly createdAt: Date;
}

/** How a host creates a user of its own. */
export interface NewIamUser {
  readonly externalId?: string;
  readonly nickname?: string;
}

/** From where a host got a binding token. */
export interface BindingSource {
  /** The request of Express or Fastify that brought it: a browser other than the one that signed in is refused. */
  readonly request?: object;
  /** The client that brought it, where the host knows: a token of another client is refused. */
  readonly clientId?: string;
}

/** The host's own code reaches users here: find, create, bind, and the `external_id` that ties them to its rows. */
@Injectable()
export class IamUsers {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: Users,
    private readonly logins: Logins,
    private readonly bindings: Bindings,
    private readonly attempts: AttemptCookies,
    private readonly sessions: Sessions,
  ) {}

  /** The user with this id, or the one they were merged into. */
  async find(id: string): Promise<IamUser | null> {
    return isUuid(id) ? this.findSurvivor({ id }) : null;
  }

  /** The user whom the host knows by this id, or the one they were merged into. */
  async findByExternalId(externalId: string): Promise<IamUser | null> {
    return this.findSurvivor({ externalId });
  }

  /** The user of a WeChat identity. */
  async findByIdentity(appid: string, openid: string): Promise<IamUser | null> {
    const identity = await this.dataSource.getRepository(IdentityEntity).findOneBy({ appid, openid });
    return identity === null ? null : this.find(identity.userId);
  }

  /** Creates a user without any WeChat identity. @throws IamError `identity_conflict` when the external id is taken */
  async create(user: NewIamUser): Promise<IamUser> {
    return inTransaction(this.dataSource, (manager) => this.insert(manager, user));
  }

  /** Sets the id under which the host knows a user. @throws IamError `not_found` or `identity_conflict` */
  async setExternalId(id: string, externalId: string): Promise<void> {
    if (!isUuid(id)) throw new IamError('not_found', 'no user has such an id');
    await inTransaction(this.dataSource, async (manager) => {
      const rows = manager.getRepository(UserEntity);
      const change = await rows.update({ id, mergedInto: IsNull() }, { externalId }).catch(translateTaken);
      if (change.affected !== 1) throw new IamError('not_found', `no user ${id}`);
      const detail = { changed: ['external_id'] };
      await recordAudit(manager, { action: 'user.updated', userId: id, detail });
    });
  }

  /**
   * Connects the WeChat identity behind a `binding_token` to a user whom the host has recognised in its own way, given
   * by our id (also that of a user merged into another) or by the host's, which creates the user if need be. What was
   * signed in as that user before ends, and so does what was about to be. The sign-in that the token came from goes on:
   * for 60 seconds its client may repeat the token request that was answered `binding_required`. Pass the request that
   * brought the token: without it, a person whom somebody else leads to your page binds that somebody's WeChat.
   * @throws IamError `binding_token_invalid`, `identity_conflict`, `not_found` or `user_disabled`
   */
  async bind(
    bindingToken: string,
    user: { readonly id: string } | { readonly externalId: string },
    { request, clientId }: BindingSource = {},
  ): Promise<IamUser> {
    const cookies = request === undefined ? undefined : readRequest(request).cookies;
    const holdsAttempt = cookies && ((hash: string) => this.attempts.holds(hash, cookies));
    return inTransaction(this.dataSource, async (manager) => {
      if ('externalId' in user) await this.insertIfNew(manager, user.externalId);
      const target = await this.getActive(manager, user);
      const subject = await this.bindings.redeem(manager, bindingToken, target.id, {
        clientId,
        holdsAttempt,
      });
      await this.logins.endOfUser(manager, target.id);
      await this.sessions.endAll(manager, target.id, 'identity_bound');
      await this.users.link(manager, subject, target.id);
      await this.bindings.resume(manager, bindingToken, target.id);
      return target;
    });
  }

  private async findSurvivor(where: { id: string } | { externalId: string }): Promise<IamUser | null> {
    const user = await this.rows().findOneBy(where);
    if (user?.mergedInto == null) return user === null ? null : toUser(user);
    return this.findSurvivor({ id: user.mergedInto });
  }

  /** Waits for another transaction that is about to create the same user. */
  private async insertIfNew(manager: EntityManager, externalId: string): Promise<void> {
    const row = await queryRow(
      manager,
      z.object({ id: z.string() }),
      insertUserSql('ON CONFLICT (external_id) DO NOTHING'),
      [uuidv7(), externalId, null],
    );
    if (row !== null) await recordAudit(manager, { action: 'user.created', userId: row.id });
  }

  private async getActive(
    manager: EntityManager,
    where: { id: string } | { externalId: string },
  ): Promise<IamUser> {
    const row =
      'id' in where && !isUuid(where.id)
        ? null
        : await manager.getRepository(UserEntity).findOne({ where, lock: { mode: 'pessimistic_write' } });
    if (row === null) throw new IamError('not_found', `no user with this ${Object.keys(where).join()}`);
    if (row.mergedInto !== null) return this.getActive(manager, { id: row.mergedInto });
    if (row.status !== 'active') throw new IamError('user_disabled', `user ${row.id} is ${row.status}`);
    return toUser(row);
  }

  private async insert(manager: EntityManager, user: NewIamUser): Promise<IamUser> {
    const id = uuidv7();
    await manager
      .query(insertUserSql(), [id, user.externalId ?? null, user.nickname ?? null])
      .catch(translateTaken);
    await recordAudit(manager, { action: 'user.created', userId: id });
    return toUser(await manager.getRepository(UserEntity).findOneByOrFail({ id }));
  }

  private rows() {
    return this.dataSource.getRepository(UserEntity);
  }
}

/** $1 id, $2 external id, $3 nickname; the default roles in the same statement. */
const insertUserSql = (onConflict = '') => `
  WITH new_user AS (
    INSERT INTO iam.users (id, external_id, nickname, nickname_by)
    VALUES ($1, $2, $3::text, CASE WHEN $3::text IS NULL THEN 'wechat' ELSE 'host' END) ${onConflict} RETURNING id
  ), new_roles AS (${defaultRolesSql('new_user.id', 'new_user')}
  )
  SELECT id FROM new_user`;

function translateTaken(cause: unknown): never {
  if (isUniqueViolation(cause))
    throw new IamError('identity_conflict', 'the external id belongs to another user', { cause });
  throw cause;
}

function toUser({ id, externalId, nickname, avatarUrl, status, createdAt }: UserEntity): IamUser {
  return { id, externalId, nickname, avatarUrl, status, createdAt };
}
