import { decodeJwt } from 'jose';
import { AdminClient, adminOptions, signedInWithPermissions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';

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
