import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { inTransaction } from '../database/sql.js';
import { isStorable } from '../database/database-errors.js';
import { readRequest } from '../http/iam-request.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Bindings } from '../sign-in/identity-links.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import {
  createUser,
  createUserOnce,
  updateUser,
  externalIdSchema,
  readExternalId,
} from '../users/change-user.js';
import { IdentityEntity } from '../users/identity.entity.js';
import { lockUser } from '../users/lock-users.js';
import { UserEntity, type UserStatus } from '../users/user.entity.js';
import { Users } from '../users/users.service.js';
import { cleanNickname } from '../wechat/profile-text.js';

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
    private readonly bindings: Bindings,
    private readonly attempts: AttemptCookies,
    private readonly signOut: SignOut,
  ) {}

  /** The user with this id, or the one they were merged into. */
  async find(id: string): Promise<IamUser | null> {
    return isUuid(id) ? this.findSurvivor({ id }) : null;
  }

  /** The user whom the host knows by this id, or the one they were merged into; null also for a text that is no such id. */
  async findByExternalId(externalId: string): Promise<IamUser | null> {
    return externalIdSchema.safeParse(externalId).success ? this.findSurvivor({ externalId }) : null;
  }

  /** The user of a WeChat identity. */
  async findByIdentity(appid: string, openid: string): Promise<IamUser | null> {
    if (![appid, openid].every((text: unknown) => typeof text === 'string' && isStorable(text))) return null;
    const identity = await this.dataSource.getRepository(IdentityEntity).findOneBy({ appid, openid });
    return identity === null ? null : this.find(identity.userId);
  }

  /**
   * Creates a user without any WeChat identity; the nickname is cleaned as one of WeChat's is.
   * @throws IamError `identity_conflict` when the external id is taken, `invalid_request` when it is none
   */
  async create({ externalId, nickname }: NewIamUser): Promise<IamUser> {
    const user = {
      by: 'host' as const,
      externalId: externalId == null ? null : readExternalId(externalId),
      nickname: cleanNickname(nickname),
    };
    return inTransaction(this.dataSource, async (manager) => {
      const id = await createUser(manager, user);
      return toUser(await manager.getRepository(UserEntity).findOneByOrFail({ id }));
    });
  }

  /** Sets the id under which the host knows a user. @throws IamError `not_found`, `identity_conflict` or `invalid_request` */
  async setExternalId(id: string, externalId: string): Promise<void> {
    const changes = { by: 'host', externalId: readExternalId(externalId) } as const;
    await inTransaction(this.dataSource, async (manager) => {
      await lockUser(manager, id);
      await updateUser(manager, id, changes);
    });
  }

  /**
   * Connects the WeChat identity behind a `binding_token` to a user whom the host has recognised in its own way, given
   * by our id (also that of a user merged into another) or by the host's, which creates the user if need be. What was
   * signed in as that user before ends, and so does what was about to be. The sign-in that the token came from goes on:
   * for 60 seconds its client may repeat the token request that was answered `binding_required`. Pass the request that
   * brought the token: without it, an attacker who leads a person to your page binds the attacker's WeChat.
   * @throws IamError `binding_token_invalid`, `identity_conflict`, `not_found`, `user_disabled` or `invalid_request`
   */
  async bind(
    bindingToken: string,
    user: { readonly id: string } | { readonly externalId: string },
    { request, clientId }: BindingSource = {},
  ): Promise<IamUser> {
    const cookies = request === undefined ? undefined : readRequest(request).cookies;
    const holdsAttempt = cookies && ((hash: string) => this.attempts.holds(hash, cookies));
    return inTransaction(this.dataSource, async (manager) => {
      const target = await this.getActive(manager, await whereOf(manager, user));
      const subject = await this.bindings.redeem(manager, bindingToken, target.id, {
        clientId,
        holdsAttempt,
      });
      await this.signOut.ofUser(manager, target.id, 'identity_bound');
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

  private async getActive(
    manager: EntityManager,
    where: { id: string } | { externalId: string },
  ): Promise<IamUser> {
    const rows = manager.getRepository(UserEntity);
    const row = await rows.findOne({ where, lock: { mode: 'pessimistic_write' } });
    if (row === null) throw new IamError('not_found', `no user with this ${Object.keys(where).join()}`);
    if (row.mergedInto !== null) return this.getActive(manager, { id: row.mergedInto });
    if (row.status !== 'active') throw new IamError('user_disabled', `user ${row.id} is ${row.status}`);
    return toUser(row);
  }

  private rows() {
    return this.dataSource.getRepository(UserEntity);
  }
}

/** TypeORM takes a condition that is undefined for none at all, and finds anybody: neither is let through. */
async function whereOf(
  manager: EntityManager,
  user: { readonly id: string } | { readonly externalId: string },
): Promise<{ id: string } | { externalId: string }> {
  if (!('externalId' in user)) {
    if (!isUuid(user.id)) throw new IamError('not_found', 'not the id of a user');
    return { id: user.id };
  }
  const externalId = readExternalId(user.externalId);
  await createUserOnce(manager, externalId);
  return { externalId };
}

function toUser({ id, externalId, nickname, avatarUrl, status, createdAt }: UserEntity): IamUser {
  return { id, externalId, nickname, avatarUrl, status, createdAt };
}
