import { Injectable } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import type { IamRequest } from '../../http/iam-request.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { parseInput } from '../../http/parse-input.js';
import { type Role, Roles, type RoleChanges } from '../../roles/roles.service.js';
import { readIfMatch, toEtag } from '../etag.js';
import { AdminPermissions } from '../admin-permissions.service.js';
import { readCursor, toPage } from '../page.js';
import { parseBody } from '../../http/parse-body.js';
import { createRoleBody, roleQuery, updateRoleBody } from './roles.requests.js';
import { toRoleView } from './roles.view.js';

/** A role in a path, and who asks. */
export interface RoleRequest {
  readonly name: string;
  readonly request: IamRequest;
  readonly admin: AuthenticatedUser | undefined;
}

/** A role written in SQL may have any name. */
const anyName = /^[^\0]+$/;

/** Roles for administrators, who give and take no more than they hold themselves. */
@Injectable()
export class AdminRoles {
  constructor(
    private readonly roles: Roles,
    private readonly own: AdminPermissions,
    private readonly urls: IamUrls,
  ) {}

  async list(request: IamRequest): Promise<IamResponse> {
    const { limit, cursor, q: prefix } = parseInput(roleQuery, request.query);
    const rows = await this.roles.list({ after: readCursor(cursor, anyName), limit: limit + 1, prefix });
    return json(toPage(rows, { limit }, { keyOf: ({ name }) => name, toItem: toRoleView }));
  }

  async get(name: string): Promise<IamResponse> {
    return answer(await this.roles.get(name));
  }

  async create(request: IamRequest, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const { name, ...role } = parseBody(createRoleBody, request.body);
    await this.own.requireAll(admin, role.permissions ?? []);
    const created = await this.roles.create(name, role);
    const location = this.urls.endpoint(`admin/roles/${name}`);
    return json(toRoleView(created), 201, { ETag: toEtag(created.version), Location: location });
  }

  /** Based on what was judged, also with `If-Match: *`. */
  async update({ name, request, admin }: RoleRequest): Promise<IamResponse> {
    const version = readIfMatch(request.ifMatch);
    const changes = parseBody(updateRoleBody, request.body);
    const role = await this.roles.get(name);
    await this.own.requireAll(admin, decidedOn(role, changes));
    return answer(await this.roles.change({ name, version: version ?? role.version }, changes));
  }

  /** As `update`. */
  async remove({ name, request, admin }: RoleRequest): Promise<IamResponse> {
    const version = readIfMatch(request.ifMatch);
    const role = await this.roles.get(name);
    await this.own.requireAll(admin, role.permissions);
    await this.roles.remove({ name, version: version ?? role.version });
    return empty(204);
  }
}

/** The permissions that users get or lose by a change: all of the role's when `is_default` changes. */
function decidedOn(
  role: Role,
  { permissions = role.permissions, is_default = role.is_default }: RoleChanges,
): readonly string[] {
  if (is_default !== role.is_default) return [...role.permissions, ...permissions];
  const added = permissions.filter((permission) => !role.permissions.includes(permission));
  const taken = role.permissions.filter((permission) => !permissions.includes(permission));
  return [...added, ...taken];
}

function answer(role: Role): IamResponse {
  const view = toRoleView(role);
  return json(view, 200, { ETag: view.etag });
}
