import type { Role } from '../../src/roles/find-role.js';
import { Roles } from '../../src/roles/roles.service.js';
import type { Command } from '../command.js';
import { withIam } from '../open-iam.js';
import { roleMembers, roleServices, roleTable } from '../role-services.js';

const PAGE = 200;

/** Shows every role and what it permits. */
export const roleListCommand: Command = {
  name: 'role list',
  description: 'Lists the roles and what they permit.',
  parameters: [],
  options: {},
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam role list',
  async run({ environment }) {
    return withIam(environment, { providers: roleServices }, async (iam) => {
      const roles = await listAll(iam.get(Roles));
      const text = roles.length === 0 ? 'None yet: role add makes one.' : roleTable(roles);
      return { json: { roles: roles.map(roleMembers) }, text };
    });
  },
};

async function listAll(roles: Roles): Promise<Role[]> {
  const all: Role[] = [];
  for (let after: string | null = null; ; after = all.at(-1)?.name ?? null) {
    const page = await roles.list({ after, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}
