import { createRoleBody } from '../../src/admin/roles.requests.js';
import { Roles } from '../../src/roles/roles.service.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { readRole, roleMembers, roleOptions, roleServices, roleTable } from '../role-services.js';

/** Makes a role; one whose name is taken is refused. */
export const roleAddCommand: Command = {
  name: 'role add',
  description: `Creates a role. The admin API asks for permissions that begin with iam: — iam:* is all of them — and your own routes for
what @RequirePermissions names. Who holds it is the business of user roles.`,
  parameters: ['name'],
  options: roleOptions,
  variables: ['DATABASE_URL'],
  example: "npx nestjs-wechat-iam role add admin --permission 'iam:*'",
  async run({ arguments: given, environment }) {
    const name = createRoleBody.shape.name.safeParse(given.get('name'));
    if (!name.success) throw new UsageError(`<name>: ${name.error.issues[0]?.message ?? 'not valid'}`);
    const role = readRole(given);
    return withIam(environment, { providers: roleServices }, async (iam) => {
      const created = await iam.get(Roles).create(name.data, role);
      const next = `Next: user roles <id> --add ${created.name}`;
      return { json: roleMembers(created), text: `${roleTable([created])}\n${next}` };
    });
  },
};
