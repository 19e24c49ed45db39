import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { adminPermissions } from '../../src/config/iam.permissions.js';
import { IamGuard } from '../../src/index.js';
import { adminRoutes } from '../support/admin-routes.js';
import {
  AdminClient,
  adminOptions,
  adminToken,
  adminWithPermissions,
  signedInWithPermissions,
} from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { valueOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';

/** All but the one by which somebody asks what they may do. */
const routes = adminRoutes().filter(({ permission }) => permission !== 'self');

const permissions = Object.keys(adminPermissions);

describe('every route of the admin API', () => {
  let world: World;
  let stranger: AdminClient;
  let forger: AdminClient;
  let anybody: AdminClient;
  let token: AdminClient;
  const withExactly = new Map<string, AdminClient>();
  const withAllBut = new Map<string, AdminClient>();

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    const client = async (held: readonly string[]) =>
      new AdminClient(world.url, (await signedInWithPermissions(world, held)).accessToken);
    for (const permission of permissions) {
      withExactly.set(permission, await client([permission]));
      withAllBut.set(permission, await client(permissions.filter((other) => other !== permission)));
    }
    const person = await onPc(world, world.wechat.person({ nickname: '无' }));
    [stranger, forger, anybody, token] = [null, 'e30.e30.e30', person.accessToken, undefined].map(
      (each) => new AdminClient(world.url, each),
    ) as [AdminClient, AdminClient, AdminClient, AdminClient];
  }, 120_000);
  afterAll(() => world.close());

  it('is found, and names a permission that is listed', () => {
    expect(routes.length).toBeGreaterThan(20);
    expect(adminRoutes().length - routes.length).toBe(1);
    expect(routes.filter(({ permission }) => !permissions.includes(String(permission)))).toEqual([]);
  });

  it('tells everybody who is known what they may do, and nobody else', async () => {
    const access = async (client: AdminClient | undefined) => {
      const reply = await (client ?? anybody).get('access');
      const { actor, permissions: held } = reply.json();
      return [reply.status, actor, held];
    };

    expect((await access(stranger))[0]).toBe(401);
    expect((await access(forger))[0]).toBe(401);
    expect(await access(anybody)).toEqual([200, 'user', []]);
    expect(await access(token)).toEqual([200, 'admin_token', permissions]);
    expect(await access(withExactly.get('iam:keys:read'))).toEqual([200, 'user', ['iam:keys:read']]);
  });

  it.each(routes)('$method $pattern admits whom $permission admits, and nobody else', async (route) => {
    const { method, path, permission = '' } = route;
    const exact = withExactly.get(permission);
    const others = withAllBut.get(permission);
    if (exact === undefined || others === undefined) throw new Error(`unknown permission ${permission}`);
    const ask = async (client: AdminClient) => (await client.request(method, path)).status;

    expect({
      stranger: await ask(stranger),
      forger: await ask(forger),
      anybody: await ask(anybody),
      'all other permissions': await ask(others),
    }).toEqual({ stranger: 401, forger: 401, anybody: 403, 'all other permissions': 403 });
    for (const admitted of [await ask(exact), await ask(token)]) {
      expect([401, 403]).not.toContain(admitted);
      expect(admitted).toBeLessThan(500);
    }
  });
});

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

    it('takes no write from the pages of a third party, whose scripts may ask for tokens alone', async () => {
      const partner = 'https://partner.example.com';
      const registered = await new PcBrowser().visit(`${world.url}/iam/admin/clients`, {
        body: { id: 'partner', first_party: false, redirect_uris: [`${partner}/back`], origins: [partner] },
        headers: { cookie: 'staff=yes' },
      });
      const asked = await new PcBrowser().visit(`${world.url}/iam/token`, {
        form: { client_id: 'partner', grant_type: 'refresh_token', refresh_token: 'x' },
        headers: { origin: partner },
      });

      expect([registered.status, asked.headers.get('access-control-allow-origin')]).toEqual([201, partner]);
      expect(await write({ origin: partner, 'sec-fetch-site': 'cross-site' })).toBe(403);
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

/** In how many seconds at the latest what was taken from an administrator is gone, on every replica. */
const SECONDS = 5;

describe('an administrator whose access token has not ended yet', () => {
  const clock = new FakeClock();
  const settings = { clock, options: adminOptions } as const;
  let world: World;
  let replica: IamApp;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld(settings);
    replica = await startReplica(world, settings);
    admin = new AdminClient(world.url);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  it('cannot let themself in again once they are shut out', async () => {
    const { id, accessToken } = await signedInWithPermissions(world, ['iam:users:*']);
    const [here, there] = [world, replica].map(({ url }) => new AdminClient(url, accessToken));
    await there?.get('users');
    await admin.post(`users/${id}/disable`);

    const atOnce = await here?.post(`users/${id}/enable`);
    clock.advance(SECONDS);
    const later = await there?.post(`users/${id}/enable`);

    expect([atOnce?.code, later?.code]).toEqual(['invalid_token', 'invalid_token']);
    expect((await admin.get(`users/${id}`)).json()['status']).toBe('disabled');
  });

  it('may nothing more once the session was ended', async () => {
    const { accessToken } = await signedInWithPermissions(world, ['iam:users:*']);
    const own = new AdminClient(world.url, accessToken);
    const before = await own.get('users');
    await admin.delete(`sessions/${String(decodeJwt(accessToken)['sid'])}`);

    expect([before.status, (await own.get('users')).status]).toEqual([200, 401]);
  });

  it('may nothing more once the role was taken from them', async () => {
    const { id, accessToken } = await signedInWithPermissions(world, ['iam:users:*']);
    const own = new AdminClient(world.url, accessToken);
    const [role = ''] = (await own.get(`users/${id}/roles`)).json()['roles'] as string[];
    await admin.delete(`users/${id}/roles/${role}`);
    clock.advance(SECONDS);

    const reply = await own.request('PUT', `users/${id}/roles/${role}`);

    expect([reply.status, reply.code]).toEqual([403, 'insufficient_permissions']);
  });
});

describe.each(platforms)('bodies of the admin API on %s', (_host, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, create });
  });
  afterAll(() => world.close());

  it.each([
    ['application/json', '{"nickname":"小兰"'],
    ['application/json', ' '],
    ['text/plain', '{"nickname":"小兰"}'],
    ['application/xml', '<nickname>小兰</nickname>'],
    ['', '{}'],
  ])('that are not understood are not taken for none: %s %s', async (type, text) => {
    const count = 'SELECT count(*)::int FROM iam.users';
    const before = await valueOf(world.dataSource, count);

    const reply = await fetch(`${world.url}/iam/admin/users`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': type },
      body: Buffer.from(text),
    });

    expect([reply.status, await valueOf(world.dataSource, count)]).toEqual([400, before]);
  });

  it('have no members that a rotation of keys does not know', async () => {
    const keys = 'SELECT count(*)::int FROM iam.signing_keys';
    const before = await valueOf(world.dataSource, keys);

    const replies = await Promise.all(
      [{ activateIn: 0 }, { activate_in: '' }].map((body) =>
        new AdminClient(world.url).post('keys/rotate', body),
      ),
    );

    expect(replies.map(({ code }) => code)).toEqual(['invalid_request', 'invalid_request']);
    expect(await valueOf(world.dataSource, keys)).toBe(before);
  });
});
