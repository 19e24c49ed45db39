import { Roles } from '../../src/roles/roles.service.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { readRole, roleMembers, roleOptions, roleServices, roleTable } from '../role-services.js';

/** Changes what is given; the permissions given take the place of all it had. */
export const roleSetCommand: Command = {
  name: 'role set',
  description: `Changes a role; what is left out stays. The permissions given take the place of all that it had. It acts within 5
seconds on every replica.`,
  parameters: ['name'],
  options: roleOptions,
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam role set support --permission iam:users:read --permission iam:logins:read',
  async run({ arguments: given, environment }) {
    const [name, changes] = [given.get('name'), readRole(given)];
    if (Object.keys(changes).length === 0) throw new UsageError('Nothing to change: give an option');
    return withIam(environment, { providers: roleServices }, async (iam) => {
      const changed = await iam.get(Roles).change({ name, version: null }, changes);
      return { json: roleMembers(changed), text: roleTable([changed]) };
    });
  },
};
