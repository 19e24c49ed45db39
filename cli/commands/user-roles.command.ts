import { inTransaction } from '../../src/database/in-transaction.js';
import { UserRoles } from '../../src/roles/user-roles.service.js';
import { lockUser } from '../../src/users/lock-users.js';
import { UserList, type DetailedUser } from '../../src/users/user-list.service.js';
import type { Command, Result } from '../command.js';
import { CommandError } from '../errors.js';
import { withIam, type Iam } from '../open-iam.js';
import { userServices } from '../user-services.js';

/** Shows, gives and takes roles: the way to the first administrator. */
export const userRolesCommand: Command = {
  name: 'user roles',
  description: `Shows which roles a user holds, after giving and taking those named: all of it or nothing. The role must exist
(role add). It is in the user's next access token: after a new sign-in at once, else within the life of the token
(15 minutes by default).`,
  parameters: ['id'],
  options: {
    add: { value: 'ROLE', summary: 'give this role', repeated: true },
    remove: { value: 'ROLE', summary: 'take this role', repeated: true },
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam user roles 01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f --add admin',
  async run({ arguments: given, environment }) {
    const [id, add, remove] = [given.get('id'), given.values('add'), given.values('remove')];
    return withIam(environment, { providers: userServices }, async (iam) => {
      if (add.length + remove.length > 0) await change(iam, { id, add, remove });
      const user = await iam.get(UserList).find(id);
      if (user === null) throw new CommandError('not_found', 'No user has this id: user find lists them');
      return toResult(user);
    });
  },
};

interface Change {
  readonly id: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

async function change({ dataSource, get }: Iam, { id, add, remove }: Change): Promise<void> {
  const roles = get(UserRoles);
  await inTransaction(dataSource, async (manager) => {
    const user = await lockUser(manager, id);
    for (const role of add) await roles.permissionsOfRole(role);
    for (const role of add) await roles.assign(manager, user.id, role);
    for (const role of remove) await roles.remove(manager, user.id, role);
  });
}

function toResult({ id, nickname, roles }: DetailedUser): Result {
  const held = roles.length === 0 ? 'no roles' : roles.join(', ');
  return { json: { id, nickname, roles }, text: `${nickname ?? id}: ${held}` };
}
