import { RolesModule } from '../../src/roles/roles.module.js';
import { Module } from '@nestjs/common';
import { newRole, roleChanges, type Role, type RoleChanges, Roles } from '../../src/roles/roles.service.js';
import { toBoolean, type Arguments, type Command, type OptionSpec } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';

/** What the commands about roles need. */
@Module({ imports: [RolesModule] })
class RoleCommandsModule {}

/** What may be said of a role. */
const roleOptions: Readonly<Record<string, OptionSpec>> = {
  permission: {
    value: 'PERMISSION',
    summary: { en: 'e.g. orders:refund, orders:* or *', zh: '例如 orders:refund、orders:* 或 *' },
    repeated: true,
  },
  description: { value: 'TEXT', summary: { en: 'what it is for', zh: '用途' } },
  default: { value: 'true|false', summary: { en: 'whether new users get it', zh: '是否授予新用户' } },
};

const PAGE = 200;

/** Shows every role and what it permits. */
export const roleListCommand: Command = {
  name: 'role list',
  description: {
    en: 'Lists the roles and what they permit.',
    zh: `列出角色及其权限。`,
  },
  parameters: [],
  options: {},
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam role list',
  async run({ environment }) {
    return withIam(environment, { module: RoleCommandsModule }, async (iam) => {
      const roles = await listAll(iam.get(Roles));
      const text = roles.length === 0 ? 'None yet: role add makes one.' : roleTable(roles);
      return { json: { roles: roles.map(roleMembers) }, text };
    });
  },
};

async function listAll(roles: Roles): Promise<Role[]> {
  const all: Role[] = [];
  for (let after: string | undefined; ; after = all.at(-1)?.name) {
    const page = await roles.list({ after, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

/** Makes a role; one whose name is taken is refused. */
export const roleAddCommand: Command = {
  name: 'role add',
  description: {
    en: `Creates a role. The admin API asks for permissions that begin with iam: — iam:* is all of them — and your own routes for
what @RequirePermissions names. The command user roles gives it to users.`,
    zh: `新建角色。管理 API 要求以 iam: 开头的权限（iam:* 是其全部），你自己的路由要求 @RequirePermissions 写明的权限。
谁拥有这个角色，用 user roles 设置。`,
  },
  parameters: ['name'],
  options: roleOptions,
  variables: ['DATABASE_URL'],
  example: "npx nestjs-wechat-iam role add admin --permission 'iam:*'",
  async run({ arguments: given, environment }) {
    const name = newRole.shape.name.safeParse(given.get('name'));
    if (!name.success) throw new UsageError(`<name>: ${name.error.issues[0]?.message ?? 'not valid'}`);
    const role = readRole(given);
    return withIam(environment, { module: RoleCommandsModule }, async (iam) => {
      const created = await iam.get(Roles).create(name.data, role);
      const next = `Next: user roles <id> --add ${created.name}`;
      return { json: roleMembers(created), text: `${roleTable([created])}\n${next}` };
    });
  },
};

/** Changes what is given; the permissions given take the place of all it had. */
export const roleSetCommand: Command = {
  name: 'role set',
  description: {
    en: `Changes a role; what is left out stays. The permissions given take the place of all that it had. It acts within 5
seconds on every replica.`,
    zh: `修改角色；没有给出的不变。给出的权限取代它原有的全部权限。5 秒内对所有副本生效。`,
  },
  parameters: ['name'],
  options: roleOptions,
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam role set support --permission iam:users:read --permission iam:logins:read',
  async run({ arguments: given, environment }) {
    const [name, changes] = [given.get('name'), readRole(given)];
    if (Object.keys(changes).length === 0) throw new UsageError('Nothing to change: give an option');
    return withIam(environment, { module: RoleCommandsModule }, async (iam) => {
      const changed = await iam.get(Roles).change({ name, version: null }, changes);
      return { json: roleMembers(changed), text: roleTable([changed]) };
    });
  },
};

/** By the rules of the admin API. @throws UsageError that names the option */
function readRole(given: Arguments): RoleChanges {
  const [description, isDefault] = [given.value('description'), given.value('default')];
  const result = roleChanges.safeParse({
    ...(description !== undefined && { description }),
    ...(given.has('permission') && { permissions: given.values('permission') }),
    ...(isDefault !== undefined && { is_default: toBoolean(isDefault) }),
  });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const option =
    { permissions: 'permission', is_default: 'default' }[String(issue?.path[0])] ?? 'description';
  throw new UsageError(`--${option}: ${issue?.message ?? 'not valid'}`);
}

/** Roles as the admin API answers them. */
function roleMembers(role: Role): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(role).filter(([name]) => name !== 'version'));
}

/** Roles for people. */
function roleTable(roles: readonly Role[]): string {
  const rows = roles.map((role) => [
    role.name,
    role.permissions.join(' '),
    role.is_default,
    role.description,
  ]);
  return table(['role', 'permissions', 'default', 'description'], rows);
}
