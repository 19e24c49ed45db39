import { Delete, Get, Inject, Param, Patch, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { plainText } from '../../database/database-errors.js';
import { readPage } from '../../database/list.js';
import { inTransaction } from '../../database/sql.js';
import { IamError, wrongMember } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { toEtag, Tagged, Created } from '../../http/iam-response.js';
import { CurrentUser, IfMatch, Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import { Erasure } from '../../privacy/erasure.service.js';
import { Roles } from '../../roles/roles.service.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { countLiveSessions } from '../../sessions/session-list.service.js';
import { createUser, externalIdSchema, updateUser, type UserChanges } from '../../users/change-user.js';
import { detailedUser, getDetailedUser, userList, type ListedUser } from '../../users/user-list.js';
import { UserMerges } from '../../users/user-merges.service.js';
import { maskPhoneNumber } from '../../wechat/phone-number.js';
import { cleanNickname } from '../../wechat/profile-text.js';
import { AdminPermissions, AdminReach, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

const writable = {
  nickname: plainText(512).nullish().describe('Stored without control characters, at most 64 visible ones'),
  external_id: externalIdSchema.nullish().describe('The id under which the host knows the user'),
};
const createBody = z.strictObject({ ...writable, roles: z.array(plainText(128)).max(50).default([]) });
const updateBody = z.strictObject(writable);

const mergeBody = z.strictObject({
  other: z.uuid().describe('The other user; the older of the two stays'),
  force: z
    .boolean()
    .optional()
    .describe(
      'Also two whom WeChat takes for two people, as after an app moved to another Open Platform account',
    ),
});
const mergeResponse = z.object({ id: z.uuid(), merged: z.uuid() });

/** Its `ETag` is the version of the user's own columns. */
const userDetail = detailedUser.omit({ version: true }).extend({ live_sessions: z.int() });
type UserDetail = z.infer<typeof userDetail>;

const itemExample: ListedUser = {
  id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
  external_id: null,
  nickname: '小兰',
  avatar_url: 'https://thirdwx.qlogo.cn/mmopen/vi_32/…/132',
  status: 'active',
  merged_into: null,
  roles: ['support'],
  identity_count: 1,
  phone_number: '+86*******8000',
  deletion_at: null,
  last_sign_in_at: '2026-11-27T09:30:00.000Z',
  created_at: '2026-11-22T08:00:00.000Z',
};
const example: UserDetail = {
  ...itemExample,
  nickname_by: 'wechat',
  updated_at: '2026-11-22T08:00:00.000Z',
  phone_number: '+8613800138000',
  phone_verified_at: '2026-11-22T08:00:00.000Z',
  phone_appid: 'wx1123456789abcdef',
  identities: [
    {
      id: '01939a3c-4c11-7bbb-8d2f-1a2b3c4d5e6f',
      provider: 'wechat',
      kind: 'mp',
      appid: 'wx0123456789abcdef',
      openid: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc',
      unionid: 'o6_bmasdasdsad6_2sgVt7hMZOPfL',
      union_scope: 'wechat',
      follows: true,
      profile_read_at: '2026-11-22T08:00:00.000Z',
      withdrawn_at: null,
      linked_at: '2026-11-22T08:00:00.000Z',
    },
  ],
  live_sessions: 2,
};

const path = { id: 'The user' };

/** Users: list, create, change, merge, erase. */
@AdminController('users')
export class AdminUsersController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly roles: Roles,
    private readonly userRoles: UserRoles,
    private readonly permissions: AdminPermissions,
    private readonly reach: AdminReach,
    private readonly merges: UserMerges,
    private readonly erasure: Erasure,
  ) {}

  @Endpoint({
    summary: 'Users, newest first',
    permission: 'iam:users:read',
    responses: { 200: userList.page },
    example: { items: [itemExample], next_cursor: null },
  })
  @Get()
  async list(
    @Query(new ZodPipe(userList.query)) { q, ...query }: z.infer<typeof userList.query>,
    @CurrentUser() admin: Admin,
  ) {
    // The last digits are shown: of a number that can be looked up, the others could be tried out.
    const { phone_number: number } = query;
    const others = q?.withoutNumbers ?? null;
    const refusal = number === undefined && others === null ? null : await this.refusalOfNumbers(admin);
    if (refusal !== null && number !== undefined) throw refusal;
    const filters = { ...query, q: refusal === null ? q : others };
    return readPage(this.dataSource, userList, filters);
  }

  @Endpoint({
    summary: 'Create a user without any identity; nobody can sign in as them until one is bound',
    permission: 'iam:users:write',
    responses: { 201: userDetail },
    example,
    errors: ['identity_conflict', 'not_found'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(createBody)) { roles, ...written }: z.infer<typeof createBody>,
    @CurrentUser() admin: Admin,
  ): Promise<Created<UserDetail>> {
    for (const role of roles)
      await this.permissions.requireAll(admin, (await this.roles.get(role)).permissions);
    const user = await inTransaction(this.dataSource, async (manager) => {
      const id = await createUser(manager, toChanges(written));
      for (const role of roles) await this.userRoles.assign(manager, id, role);
      return id;
    });
    return new Created(await this.get(user, admin));
  }

  @Endpoint({
    summary: 'A user, also one who was merged into another; the ETag is what a change is based on',
    permission: 'iam:users:read',
    path,
    responses: { 200: userDetail },
    example,
    errors: ['not_found'],
  })
  @Get(':id')
  async get(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<Tagged<UserDetail>> {
    const { version, ...user } = await getDetailedUser(this.dataSource, id);
    const live_sessions = await countLiveSessions(this.dataSource, id);
    const phone_number = await this.shown(user.phone_number, admin);
    return new Tagged({ ...user, phone_number, live_sessions }, toEtag(version));
  }

  @Endpoint({
    summary: 'Change nickname or external_id; needs If-Match',
    permission: 'iam:users:write',
    path,
    responses: { 200: userDetail },
    example,
    errors: ['not_found', 'identity_conflict', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':id')
  async update(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(updateBody)) written: z.infer<typeof updateBody>,
    @CurrentUser() admin: Admin,
  ): Promise<Tagged<UserDetail>> {
    await this.reach.act(admin, { id, version }, (manager) => updateUser(manager, id, toChanges(written)));
    return this.get(id, admin);
  }

  @Endpoint({
    summary: 'Erase a user and all that is held about them, at once; needs If-Match',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'in_use', 'precondition_required', 'precondition_failed'],
  })
  @Delete(':id')
  async erase(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.reach.act(admin, { id, version }, (manager) => this.erasure.eraseIn(manager, id));
  }

  @Endpoint({
    summary:
      'Merge two users who are one person: the older stays, with the identities and roles of both; `force` overrules 409 `merge_refused`',
    permission: 'iam:users:write',
    path,
    responses: { 200: mergeResponse },
    example: { id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f', merged: '01939a3c-9d20-7fff-a162-5e6f708192a3' },
    errors: ['not_found', 'merge_refused', 'user_disabled', 'precondition_failed'],
  })
  @Post(':id/merge')
  async merge(
    @Param('id') id: string,
    @Body(new ZodPipe(mergeBody)) { other, force: evenIfTwo = false }: z.infer<typeof mergeBody>,
    @CurrentUser() admin: Admin,
  ): Promise<z.infer<typeof mergeResponse>> {
    const [first, second] = toPair(id, other);
    const kept = await this.reach.actOnAll(admin, [first, second], (manager) =>
      this.merges.merge(manager, [first, second], { evenIfTwo }),
    );
    return { id: kept, merged: kept === first ? second : first };
  }

  private async shown(phoneNumber: string | null, admin: Admin): Promise<string | null> {
    if (phoneNumber === null) return null;
    return (await this.refusalOfNumbers(admin)) === null ? phoneNumber : maskPhoneNumber(phoneNumber);
  }

  private refusalOfNumbers(admin: Admin): Promise<IamError | null> {
    return this.permissions.refusalOf(admin, ['iam:phone_numbers:read']);
  }
}

/** A nickname is cleaned as one of WeChat's is. */
function toChanges({ nickname, external_id: externalId }: z.infer<typeof updateBody>): UserChanges {
  return { by: 'host', nickname: nickname === undefined ? undefined : cleanNickname(nickname), externalId };
}

function toPair(id: string, other: string): [string, string] {
  if (!isUuid(id)) throw new IamError('not_found', 'not the id of a user');
  const pair: [string, string] = [id.toLowerCase(), other.toLowerCase()];
  if (pair[0] === pair[1]) throw wrongMember('other', 'the same user');
  return pair;
}
