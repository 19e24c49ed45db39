import { setTimeout as delay } from 'node:timers/promises';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode, pollUntilSettled, scanAndFollow, startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { startReplicaProcess, type ReplicaProcess } from '../support/replica-process.js';
import { getWith, toTokens } from '../support/sign-in.js';

describe('two processes on one PostgreSQL', () => {
  let world: World;
  const running = new Set<ReplicaProcess>();

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' }, { options: { rateLimits: 'off' } });
  });
  afterEach(async () => {
    await Promise.all([...running].map((replica) => replica.stop()));
    running.clear();
  });
  afterAll(() => world.close());

  const start = async () => {
    const replica = await startReplicaProcess(world);
    running.add(replica);
    return replica;
  };
  const end = async (replica: ReplicaProcess, how: 'stop' | 'kill') => {
    running.delete(replica);
    await replica[how]();
  };
  const pushTo = ({ url }: ReplicaProcess) => world.oa.configureServer({ url: `${url}/iam/webhook/wechat` });
  const whoIs = async (base: string, device: { deviceCode: string }) => {
    const tokens = toTokens(await pollUntilSettled(base, device));
    const me = (await getWith(`${base}/iam/me`, tokens.accessToken)).json();
    return me['identities'];
  };

  it('sign in: the QR code from one, the push to the other, the poll to the first', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    const lan = world.wechat.person({ nickname: '小兰' });
    pushTo(other);
    const device = await askForQrCode(one.url);
    const { pathname, search } = new URL(device.eventsUri);
    const stream = await openEvents(`${one.url}${pathname}${search}`);

    await scanAndFollow(world, lan, device.qr);
    await stream.until('scanned');
    await lan.say(world.oa, device.userCode);
    await stream.until('confirmed');
    stream.close();

    expect(await whoIs(one.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in when the one that took the push is killed right after its answer', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    const ming = world.wechat.person({ nickname: '小明' });
    pushTo(other);
    const device = await askForQrCode(one.url);
    await scanAndFollow(world, ming, device.qr);

    const delivery = await ming.say(world.oa, device.userCode);
    await end(other, 'kill');

    expect(delivery.outcome).toBe('answered');
    expect(await whoIs(one.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in when the first is stopped in the middle and the browser goes to the other', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    const hua = world.wechat.person({ nickname: '小华' });
    pushTo(one);
    const device = await askForQrCode(one.url);
    const { pathname, search } = new URL(device.eventsUri);
    const stream = await openEvents(`${one.url}${pathname}${search}`);
    await scanAndFollow(world, hua, device.qr);
    await stream.until('scanned');

    await end(one, 'stop');
    await stream.ended;
    pushTo(other);
    await hua.say(world.oa, device.userCode);

    expect(stream.types).toEqual(['scanned']);
    expect(await whoIs(other.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in, late, when WeChat finds nobody at first: the push comes again to the one that is up', async () => {
    const one = await start();
    const doomed = await start();
    const li = world.wechat.person({ nickname: '小李' });
    pushTo(one);
    const device = await askForQrCode(one.url);
    await scanAndFollow(world, li, device.qr);
    pushTo(doomed);
    await end(doomed, 'kill');

    const lost = await li.say(world.oa, device.userCode);
    pushTo(one);
    await delay(100);
    const again = await li.say(world.oa, device.userCode);

    expect([lost.outcome, again.outcome]).toEqual(['failed', 'answered']);
    expect(await whoIs(one.url, device)).toMatchObject([{ kind: 'mp' }]);
  });
});
