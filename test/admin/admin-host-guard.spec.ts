import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IamGuard } from '../../src/index.js';
import { AdminClient, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
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

/** A guard of a host that knows its people by a cookie. */
@Injectable()
class StaffGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    return headers['cookie'] === 'staff=yes';
  }
}

describe.each(platforms)(
  'the admin API on %s, with a guard of the host that reads a cookie',
  (_host, create) => {
    const frontEnd = 'https://office.example.com';
    const client = { id: 'office', redirectUris: [`${frontEnd}/signed-in`], origins: [frontEnd] };
    let world: World;

    beforeAll(async () => {
      world = await startWorld({ options: { admin: { guard: StaffGuard }, clients: [client] }, create });
    });
    afterAll(() => world.close());

    /** As the browser of somebody of the staff sends it, from wherever its page is. */
    const write = async (headers: Readonly<Record<string, string>>) => {
      const reply = await new PcBrowser().visit(`${world.url}/iam/admin/users`, {
        form: { nickname: '表单' },
        headers: { cookie: 'staff=yes', accept: 'application/json', ...headers },
      });
      return reply.status;
    };

    it.each([
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${frontEnd}.evil.example` },
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])('takes no write from the page of somebody else: %j', async (headers) => {
      expect(await write(headers)).toBe(403);
    });

    it('takes writes from its own pages, from front-ends and from what is no browser', async () => {
      const statuses = [
        await write({ origin: world.url }),
        await write({ origin: 'http://proxy.example', 'sec-fetch-site': 'same-origin' }),
        await write({ origin: frontEnd, 'sec-fetch-site': 'cross-site' }),
        await write({}),
      ];

      expect(statuses).toEqual([201, 201, 201, 201]);
    });

    it('lets its answers be read as before', async () => {
      const reply = await new AdminClient(world.url, null).get('users', {
        cookie: 'staff=yes',
        'sec-fetch-site': 'cross-site',
      });

      expect(reply.status).toBe(200);
    });
  },
);
