import { AdminClient, adminOptions, adminToken } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { valueOf } from '../support/rows.js';

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
