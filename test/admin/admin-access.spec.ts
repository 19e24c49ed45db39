import { adminPermissions } from '../../src/config/iam.permissions.js';
import { AdminClient, adminOptions, signedInWithPermissions } from '../support/admin.js';
import { adminRoutes } from '../support/admin-routes.js';
import { startWorld, type World } from '../support/iam-app.js';
import { onPc } from '../support/signed-in.js';

const routes = adminRoutes();
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
    expect(routes.filter(({ permission }) => !permissions.includes(String(permission)))).toEqual([]);
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
