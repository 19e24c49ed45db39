import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { IamGuard, RequirePermissions, RequireRoles } from '../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { countQueries } from '../support/query-counter.js';
import { getWith, signInOnPc } from '../support/sign-in.js';

@Controller('orders')
@UseGuards(IamGuard)
class OrdersController {
  @Get('refund')
  @RequirePermissions('orders:refund')
  refund() {
    return {};
  }

  @Get('audit')
  @RequirePermissions('orders:refund', 'audit:read')
  audit() {
    return {};
  }

  @Get('staff')
  @RequireRoles('clerk', 'boss')
  staff() {
    return {};
  }
}

@Controller('vault')
@UseGuards(IamGuard)
@RequireRoles('boss')
class VaultController {
  @Get()
  @RequirePermissions('vault:open')
  open() {
    return {};
  }
}

@Module({ controllers: [OrdersController, VaultController] })
class ShopModule {}

describe('what a route requires', () => {
  const clock = new FakeClock();
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ imports: [ShopModule], clock });
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions)
       VALUES ('clerk', '{orders:refund}'), ('boss', '{orders:*,audit:read,vault:*}'), ('root', '{*}'), ('idle', '{}')`,
    );
  });
  afterAll(() => world.close());

  const routes = ['orders/refund', 'orders/audit', 'orders/staff', 'vault'];

  async function statuses(...roles: string[]): Promise<number[]> {
    const person = world.wechat.person({ nickname: roles.join() });
    const first = await signInOnPc(world, person);
    const { id } = (await getWith(`${world.url}/iam/me`, first.accessToken)).json();
    for (const role of roles)
      await world.dataSource.query('INSERT INTO iam.user_roles (user_id, role) VALUES ($1, $2)', [id, role]);
    const { accessToken } = await signInOnPc(world, person);
    return Promise.all(
      routes.map(async (route) => (await getWith(`${world.url}/${route}`, accessToken)).status),
    );
  }

  it.each([
    [[], [403, 403, 403, 403]],
    [['idle'], [403, 403, 403, 403]],
    [['clerk'], [200, 403, 200, 403]],
    [['boss'], [200, 200, 200, 200]],
    [['root'], [200, 200, 403, 403]],
    [
      ['clerk', 'root'],
      [200, 200, 200, 403],
    ],
  ])('admits the roles %j with %j', async (roles, expected) => {
    expect(await statuses(...roles)).toEqual(expected);
  });

  it('says with a stable code what is missing, and 401 to whoever has not signed in', async () => {
    const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));

    const refused = await getWith(`${world.url}/orders/refund`, accessToken);
    const stranger = await getWith(`${world.url}/orders/refund`, 'x');

    expect([refused.status, refused.json()['code']]).toEqual([403, 'insufficient_permissions']);
    expect(stranger.status).toBe(401);
  });

  it('follows a change of a role within five seconds, at one query for all requests', async () => {
    const person = world.wechat.person({ nickname: '小明' });
    const first = await signInOnPc(world, person);
    const { id } = (await getWith(`${world.url}/iam/me`, first.accessToken)).json();
    await world.dataSource.query(`INSERT INTO iam.roles (name, permissions) VALUES ('porter', '{}')`);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'porter')`, [id]);
    const { accessToken } = await signInOnPc(world, person);
    const visit = () => getWith(`${world.url}/orders/refund`, accessToken);
    clock.advance(5);
    const before = await visit();

    await world.dataSource.query(
      `UPDATE iam.roles SET permissions = '{orders:refund}' WHERE name = 'porter'`,
    );
    clock.advance(5);
    const queries = countQueries(world.database.url);
    const after = await Promise.all(Array.from({ length: 10 }, visit));
    const spent = queries.since(0);
    queries.stop();

    expect(before.status).toBe(403);
    expect(after.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(spent).toHaveLength(1);
  });
});
