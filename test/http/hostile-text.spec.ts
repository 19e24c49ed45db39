import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { IamError, IamUsers, type IamHooks, type SignUpDecision } from '../../src/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { adminRoutes } from '../support/admin-routes.js';
import { startWorld, type World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';
import { returnFromPc } from '../support/sign-in.js';
import { onPc } from '../support/signed-in.js';

/** A host whose hook answers whatever a test wants. */
class AnyHooks implements IamHooks {
  decision: unknown;

  async beforeSignUp(): Promise<SignUpDecision> {
    return Object(this.decision) as SignUpDecision;
  }
}

@Module({ providers: [AnyHooks], exports: [AnyHooks] })
class HooksModule {}

const hostile: [string, unknown][] = [
  ['NUL', 'a\0b'],
  ['half a character', 'a\ud800'],
  ['more than an index takes', 'x'.repeat(4_000)],
  ['nothing', ''],
  ['a number', 7],
  ['a list', ['a']],
];
const missing: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
];

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof IamError ? error.code : String(error)),
  );
}

describe('text that PostgreSQL cannot hold, or that is none', () => {
  let world: World;
  let users: IamUsers;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({
      imports: [HooksModule],
      options: { ...adminOptions, hooks: AnyHooks, rateLimits: 'off' },
    });
    users = world.app.get(IamUsers);
    admin = new AdminClient(world.url);
    // Somebody whom a condition without a value would find.
    await users.create({ externalId: 'the-first' });
  });
  afterAll(() => world.close());
  afterEach(() => {
    world.app.get(AnyHooks).decision = undefined;
  });

  const count = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users');
  const any = (value: unknown) => value as string;

  it.each(hostile)('is no external id: %s', async (_what, text) => {
    const { id } = await users.create({});
    const before = await count();

    const codes = [
      await outcomeOf(users.create({ externalId: any(text) })),
      await outcomeOf(users.setExternalId(id, any(text))),
      await outcomeOf(users.bind('token', { externalId: any(text) })),
      (await admin.post('users', { external_id: text })).code,
      (await admin.patch(`users/${id}`, { external_id: text })).code,
    ];

    expect(codes).toEqual(Array(5).fill('invalid_request'));
    expect(await users.findByExternalId(any(text))).toBeNull();
    expect(await users.findByIdentity(world.site.appid, any(text))).toBeNull();
    expect(await count()).toBe(before);
  });

  it.each(missing)('is nobody’s, and finds nobody, when it is %s', async (_what, nothing) => {
    const { id } = await users.create({});

    expect(await users.findByExternalId(any(nothing))).toBeNull();
    expect(await users.findByIdentity(any(nothing), any(nothing))).toBeNull();
    expect(await outcomeOf(users.setExternalId(id, any(nothing)))).toBe('invalid_request');
    expect(await outcomeOf(users.bind('token', { externalId: any(nothing) }))).toBe('invalid_request');
    expect(await outcomeOf(users.bind('token', { id: any(nothing) }))).toBe('not_found');
    expect(await outcomeOf(users.bind('token', Object(nothing) as { id: string }))).toBe('not_found');
  });

  it.each(hostile)('is an error of the host’s hook, not of the client: %s', async (_what, text) => {
    world.app.get(AnyHooks).decision = { externalId: text };

    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '某' }));

    expect(returned.location?.searchParams.get('error')).toBe('server_error');
  });

  it('is left out of nicknames, wherever they come from', async () => {
    const nickname = 'a\0b\ud800c\u202e';
    world.app.get(AnyHooks).decision = { nickname };

    const created = await users.create({ nickname });
    const unnamed = await users.create({ nickname: '\0' });
    const signedUp = await onPc(world, world.wechat.person({ nickname: '某' }));

    expect([created.nickname, unnamed.nickname, signedUp.me['nickname']]).toEqual(['abc', null, 'abc']);
  });

  it('names nothing in the path of any admin route', async () => {
    const routes = adminRoutes().filter(({ pattern }) => pattern.includes(':'));
    const bodies: Readonly<Record<string, object>> = {
      'users/:id/merge': { other: randomUUID() },
      'providers/:slug/rotate': { secret: 'mp_token' },
    };

    for (const { method, pattern } of routes)
      for (const text of ['%00', 'a%00b', 'x'.repeat(3_000)]) {
        const path = pattern.replace(/:\w+/g, text);
        const reply = await admin.request(method, path, {
          ...(method !== 'GET' && { body: bodies[pattern] ?? {} }),
          ...(['PATCH', 'DELETE', 'POST'].includes(method) && { etag: '*' }),
        });
        expect(`${method} ${pattern} ${String(reply.code)}`).toMatch(/ (provider_)?not_found$/);
      }
    expect(routes.length).toBeGreaterThan(20);
  });

  it('is one error code for an external id that is taken, whoever brings it', async () => {
    const { id } = await users.create({});
    world.app.get(AnyHooks).decision = { externalId: 'the-first' };
    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '某' }));

    expect([
      await outcomeOf(users.create({ externalId: 'the-first' })),
      await outcomeOf(users.setExternalId(id, 'the-first')),
      (await admin.post('users', { external_id: 'the-first' })).code,
      (await admin.patch(`users/${id}`, { external_id: 'the-first' })).code,
      returned.location?.searchParams.get('error'),
    ]).toEqual(Array(5).fill('identity_conflict'));
  });
});
