import { randomUUID } from 'node:crypto';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { webcrypto } from 'node:crypto';
import { spyOn } from 'jest-mock';
import {
  AccessTokens,
  type AuthenticatedUser,
  CurrentUser,
  IamGuard,
  Public,
  RequireRoles,
} from '../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { countWaiting } from '../support/rows.js';
import { getWith, signInOnPc } from '../support/sign-in.js';
import { until } from '../support/until.js';

/** A host that changes what the guard has given it. */
class Desk {
  @Get()
  read(@CurrentUser() user: AuthenticatedUser | undefined): string {
    const seen = JSON.stringify(user ?? null);
    if (user?.kind === 'person') user.signedInAt.setTime(0);
    if (user !== undefined) Reflect.apply(Array.prototype.push, user.roles, ['boss']);
    return seen;
  }
}

@UseGuards(IamGuard)
@Controller('desk')
class DeskController extends Desk {}

@Public()
@Controller('open-desk')
class OpenDeskController extends Desk {}

/** Inherits its handler, whose requirements are those of the class. */
@UseGuards(IamGuard)
@RequireRoles('boss')
@Controller('office')
class OfficeController extends Desk {}

@Module({ controllers: [DeskController, OpenDeskController, OfficeController] })
class HostModule {}

/** Every verification of a signature goes through this function of Node. */
const verifications = spyOn(webcrypto.subtle, 'verify');
afterAll(() => verifications.mockRestore());

describe.each(platforms)('a token that has verified, on %s', (_platform, create) => {
  let world: World;
  let token: string;

  beforeAll(async () => {
    world = await startWorld({ create, imports: [HostModule] });
  });
  beforeEach(async () => {
    ({ accessToken: token } = await signInOnPc(world, world.wechat.person({ nickname: '记' })));
    verifications.mockClear();
  });
  afterAll(async () => {
    await world.close();
  });

  const statusOf = async (presented: string, path = 'desk') =>
    (await getWith(`${world.url}/${path}`, presented)).status;

  it('is not verified again, for a route of the host or one of ours', async () => {
    const statuses = [await statusOf(token), await statusOf(token), await statusOf(token, 'iam/me')];
    await world.app.get(AccessTokens).verify(token);

    expect(statuses).toEqual([200, 200, 200]);
    expect(verifications).toHaveBeenCalledTimes(1);
  });

  it('lends nothing to one with another signature, header or payload', async () => {
    await statusOf(token);
    const [header = '', payload = '', signature = ''] = token.split('.');
    const other = signature.startsWith('A') ? 'B' : 'A';
    const forged = [
      `${header}.${payload}.${other}${signature.slice(1)}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}x.${payload}.${signature}`,
      `${header}.${payload.slice(0, -2)}.${signature}`,
    ];

    expect(await Promise.all(forged.map((each) => statusOf(each)))).toEqual([401, 401, 401, 401, 401]);
  });

  it('gives each request a user of its own, whatever the host does to it', async () => {
    const [first, second] = [
      await getWith(`${world.url}/desk`, token),
      await getWith(`${world.url}/desk`, token),
    ];

    expect(second.text).toBe(first.text);
    expect(JSON.parse(second.text)).toMatchObject({ roles: [] });
  });

  it('meets the requirements of each class that shares a handler', async () => {
    const paths = ['desk', 'office', 'open-desk', 'desk', 'office', 'open-desk'];

    const statuses = [];
    for (const path of paths) statuses.push(await statusOf(token, path));

    expect(statuses).toEqual([200, 403, 200, 200, 403, 200]);
  });
});

describe('verified tokens', () => {
  const clock = new FakeClock();
  let world: World;
  let token: string;

  beforeAll(async () => {
    world = await startWorld({ clock });
  });
  beforeEach(async () => {
    ({ accessToken: token } = await signInOnPc(world, world.wechat.person({ nickname: '记' })));
    verifications.mockClear();
  });
  afterAll(async () => {
    await world.close();
  });

  const statusOf = async () => (await getWith(`${world.url}/iam/me`, token)).status;

  it('are verified again from their end on, for the seconds that clocks may differ', async () => {
    await statusOf();

    clock.advance(899);
    await statusOf();
    const before = verifications.mock.calls.length;
    clock.advance(1);
    const late = [await statusOf(), await statusOf()];
    const after = verifications.mock.calls.length;
    clock.advance(60);

    expect([before, late, after]).toEqual([1, [200, 200], 3]);
    expect(await statusOf()).toBe(401);
  });

  it('are refused by a clock that was set back to before they began', async () => {
    await statusOf();

    clock.advance(-61);
    const status = await statusOf();
    clock.advance(61);

    expect([status, await statusOf()]).toEqual([401, 200]);
  });

  it('are forgotten when there are too many, the one that was used longest ago first', async () => {
    const tokens = world.app.get(AccessTokens);
    const userId = randomUUID();
    const claims = {
      userId,
      sessionId: 's',
      clientId: 'web',
      roles: [],
      method: 'open',
      signedInAt: new Date(clock.now()),
    };
    const [first, second] = [await tokens.issue(claims), await tokens.issue(claims)];
    await tokens.verify(first);
    await tokens.verify(second);

    for (let count = 2; count < 10_000; count += 1) await tokens.verify(await tokens.issue(claims));
    await tokens.verify(first);
    await tokens.verify(await tokens.issue(claims));
    const known = [tokens.recall(first), tokens.recall(second)];

    expect(known).toEqual([expect.objectContaining({ userId }), null]);
  });

  it('are refused within half a minute of the withdrawal of their key, also without background work', async () => {
    const quiet = await startReplica(world, { clock, options: { background: false } });
    const statusThere = async () => (await getWith(`${quiet.url}/iam/me`, token)).status;
    const before = await statusThere();

    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('LOCK TABLE iam.signing_keys IN ACCESS EXCLUSIVE MODE');
    clock.advance(30);
    const kept = await statusThere();
    clock.advance(0.001);
    const first = statusThere();
    await until('the keys are read again', async () => (await countWaiting(world.dataSource)) === 1);
    const beside = statusThere();
    await runner.query('DELETE FROM iam.signing_keys');
    await runner.commitTransaction();
    const after = await Promise.all([first, beside]);
    await runner.release();
    await quiet.close();

    expect([before, kept, after]).toEqual([200, 200, [401, 401]]);
  });
});
