import { openEvents } from '../support/event-stream.js';
import { askForQrCode, poll, pollUntilSettled, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { startReplica, type IamApp, type World } from '../support/iam-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('waiting for a scan while PostgreSQL is away', () => {
  let world: World;
  let proxy: TcpProxy;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { rateLimits: 'off' } });
    proxy = await TcpProxy.start(world.database.url);
    replica = await startReplica({ ...world, database: { ...world.database, url: proxy.url } });
  });
  afterAll(async () => {
    await replica.close();
    await proxy.cut();
    await world.close();
  });
  afterEach(() => proxy.restore());

  it('goes on where the login is known, and ends in a sign-in when it is back', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    const { pathname, search } = new URL(device.eventsUri);
    const stream = await openEvents(`${replica.url}${pathname}${search}`);
    await poll(replica.url, device);

    await proxy.cut();
    const waiting = await poll(replica.url, device);
    await scanAndFollow(world, lan, device.qr);
    await proxy.restore();
    await stream.until('confirmed');
    const reply = await pollUntilSettled(replica.url, device);
    await stream.ended;

    expect(waiting.json()['error']).toMatch(/authorization_pending|slow_down/);
    expect(reply.status).toBe(200);
  });

  it('answers 503 where it would have to be read, within a moment, and works afterwards', async () => {
    const device = await askForQrCode(world.url);
    await proxy.cut();

    const began = performance.now();
    const reply = await poll(replica.url, device);
    const seconds = (performance.now() - began) / 1000;
    await proxy.restore();
    const afterwards = await poll(replica.url, device);

    expect([reply.status, reply.json()['error']]).toEqual([503, 'temporarily_unavailable']);
    expect(reply.headers.get('retry-after')).not.toBeNull();
    expect(seconds).toBeLessThan(5);
    expect(afterwards.json()['error']).toBe('authorization_pending');
  });
});
