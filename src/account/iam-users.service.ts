import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { inTransaction, queryRow, sql, type Sql, type SqlExecutor } from '../database/sql.js';
import { isStorable } from '../database/database-errors.js';
import { readRequest } from '../http/iam-request.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Bindings } from '../sign-in/identity-links.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { ClientConsents } from '../oauth/consent/client-consents.service.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import {
  createUser,
  createUserOnce,
  updateUser,
  externalIdSchema,
  readExternalId,
} from '../users/change-user.js';
import { lockExisting, lockUser } from '../users/lock-users.js';
import { type UserStatus, userStatuses } from '../users/user.entity.js';
import { Users } from '../users/users.service.js';
import { cleanNickname } from '../wechat/profile-text.js';

/** A user as the host sees them. */
export interface IamUser {
  readonly id: string;
  /** The id under which the host knows this user. */
  readonly externalId: string | null;
  readonly nickname: string | null;
  readonly avatarUrl: string | null;
  /** By E.164, e.g. `+8613800138000`; verified by WeChat. */
  readonly phoneNumber: string | null;
  readonly status: UserStatus;
  readonly createdAt: Date;
}

const userRow = z.object({
  id: z.string(),
  externalId: z.string().nullable(),
  nickname: z.string().nullable(),
  avatarUrl: z.string().nullable(),
  phoneNumber: z.string().nullable(),
  status: z.enum(userStatuses),
  createdAt: z.date(),
}) satisfies z.ZodType<IamUser>;
const columns = sql`
  u.id, u.external_id AS "externalId", u.nickname, u.avatar_url AS "avatarUrl", u.phone_number AS "phoneNumber", u.status, u.created_at AS "createdAt"`;

/** How a host creates a user of its own. */
export interface NewIamUser {
  readonly externalId?: string;
  readonly nickname?: string;
}

/** A user by our id or by the host's. */
type UserKey = { readonly id: string } | { readonly externalId: string };

/** The source of a binding token. */
export interface BindingSource {
  /** The request of Express or Fastify with the token: another browser than the one that signed in is refused. */
  readonly request?: object;
  /** The client that sent it, where the host knows: a token of another client is refused. */
  readonly clientId?: string;
}

/** Users for the host's own code: find, create, bind, and set the `external_id` that ties them to the host's rows. */
@Injectable()
export class IamUsers {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: Users,
    private readonly bindings: Bindings,
    private readonly attempts: AttemptCookies,
    private readonly signOut: SignOut,
    private readonly consents: ClientConsents,
  ) {}

  /** The user with this id, or the one they were merged into. */
  async find(id: string): Promise<IamUser | null> {
    return isUuid(id) ? findUser(this.dataSource, sql`given.id = ${id}`) : null;
  }

  /** The user with this external id, or the one they were merged into; null also for an invalid id. */
  async findByExternalId(externalId: string): Promise<IamUser | null> {
    if (!externalIdSchema.safeParse(externalId).success) return null;
    return findUser(this.dataSource, sql`given.external_id = ${externalId}`);
  }

  /** The user of a WeChat identity. */
  async findByIdentity(appid: string, openid: string): Promise<IamUser | null> {
    if (![appid, openid].every((text: unknown) => typeof text === 'string' && isStorable(text))) return null;
    return findUser(
      this.dataSource,
      sql`given.id = (SELECT user_id FROM iam.identities WHERE appid = ${appid} AND openid = ${openid})`,
    );
  }

  /**
   * Creates a user without a WeChat identity; the nickname is cleaned like one from WeChat.
   * @throws IamError `identity_conflict` when the external id is taken, `invalid_request` when it is not valid
   */
  async create({ externalId, nickname }: NewIamUser): Promise<IamUser> {
    const user = {
      by: 'host' as const,
      externalId: externalId == null ? null : readExternalId(externalId),
      nickname: cleanNickname(nickname),
    };
    return inTransaction(this.dataSource, async (manager) => {
      const id = await createUser(manager, user);
      return getUser(manager, id);
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
   * Connects the WeChat identity of a `binding_token` to a user whom the host has authenticated, given by our id (also of a
   * merged user) or by the external id, which creates the user if needed. Ends all sessions, API keys, consents and sign-ins of that
   * user: a former holder of the account may have begun them. The sign-in of the token continues: for 60 seconds its client may
   * repeat the token request that failed with `binding_required`. Pass the request that has the token: without it, an attacker
   * who leads a person to your page binds the attacker's WeChat.
   * @throws IamError `binding_token_invalid`, `identity_conflict`, `phone_number_taken`, `not_found`, `user_disabled` or
   * `invalid_request`
   */
  async bind(
    bindingToken: string,
    user: UserKey,
    { request, clientId }: BindingSource = {},
  ): Promise<IamUser> {
    const cookies = request === undefined ? undefined : readRequest(request).cookies;
    const holdsAttempt = cookies && ((hash: string) => this.attempts.holds(hash, cookies));
    return inTransaction(this.dataSource, async (manager) => {
      const target = await lockActive(manager, await idOf(manager, user));
      const subject = await this.bindings.redeem(manager, bindingToken, target.id, {
        clientId,
        holdsAttempt,
      });
      await this.signOut.shutOut(manager, target.id, 'identity_bound');
      await this.consents.withdrawAll(manager, target.id);
      await this.users.link(manager, subject, target.id);
      await this.bindings.resume(manager, bindingToken, target.id);
      return target;
    });
  }
}

/** The user of whom the condition on `given` is true, or the one they were merged into. */
function findUser(executor: SqlExecutor, condition: Sql): Promise<IamUser | null> {
  const survivor = sql`
    SELECT ${columns} FROM iam.users given JOIN iam.users u ON u.id = COALESCE(given.merged_into, given.id)
    WHERE ${condition}`;
  return queryRow(executor, userRow, survivor);
}

async function getUser(manager: EntityManager, id: string): Promise<IamUser> {
  const user = await findUser(manager, sql`given.id = ${id}`);
  if (user === null) throw new IamError('not_found', `no user ${id}`);
  return user;
}

async function idOf(manager: EntityManager, user: UserKey): Promise<string> {
  if (!('externalId' in user)) return user.id;
  const externalId = readExternalId(user.externalId);
  await createUserOnce(manager, externalId);
  const found = await findUser(manager, sql`given.external_id = ${externalId}`);
  if (found === null) throw new IamError('not_found', 'no user with this external id');
  return found.id;
}

async function lockActive(manager: EntityManager, id: string): Promise<IamUser> {
  if (!isUuid(id)) throw new IamError('not_found', 'not the id of a user');
  const [user] = await lockExisting(manager, [id]);
  if (user?.merged_into != null) return lockActive(manager, user.merged_into);
  if (user !== undefined && user.status !== 'active')
    throw new IamError('user_disabled', `user ${id} is ${user.status}`);
  return getUser(manager, id);
}
