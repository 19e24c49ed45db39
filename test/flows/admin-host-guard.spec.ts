import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IamGuard } from '../../src/index.js';
import { AdminClient, adminWithPermissions } from '../support/admin.js';
import { startWorld } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';

/** A guard of a host that begins with ours. */
@Injectable()
class MembersGuard implements CanActivate {
  constructor(private readonly members: IamGuard) {}

  canActivate(context: ExecutionContext) {
    return this.members.canActivate(context);
  }
}

/** A guard of a host that goes on from ours. */
@Injectable()
class InheritingGuard extends IamGuard {}

const guards = [
  ['the module’s own guard itself', IamGuard],
  ['a guard that asks it', MembersGuard],
  ['a guard that extends it', InheritingGuard],
] as const;

describe.each(platforms)(
  'the admin API on %s, with a guard of the host made of IamGuard',
  (_host, create) => {
    it.each(guards)('stays shut to whoever lacks the permission: %s', async (_case, guard) => {
      const world = await startWorld({ options: { admin: { guard } }, globalGuard: true, create });
      const everything = { name: 'everything', permissions: ['*'] };
      const stranger = new AdminClient(world.url, null);
      const member = await adminWithPermissions(world, 'orders:read');
      const permitted = await adminWithPermissions(world, 'iam:roles:*');

      const replies = [
        await stranger.get('users'),
        await stranger.post('roles', everything),
        await member.post('roles', everything),
        await permitted.post('roles', everything),
        await permitted.get('roles'),
      ];
      await world.close();

      expect(replies.map(({ status }) => status)).toEqual([401, 401, 403, 403, 200]);
    });
  },
);
