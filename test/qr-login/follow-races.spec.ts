import { eventsAt, openEvents, untilSeen } from '../support/event-stream.js';
import { FakeClock } from '../support/fake-clock.js';
import {
  askForQrCode,
  decideOnPhone,
  type Device,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { type IamApp, startReplica, type World } from '../support/iam-app.js';
import { type ReplicaProcess, startReplicaProcess } from '../support/replica-process.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';

const unlimited = { options: { rateLimits: 'off' as const } };

describe('a scan on two replicas at once', () => {
  let world: World;
  let other: IamApp;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, unlimited);
    other = await startReplica(world, unlimited);
  });
  afterAll(async () => {
    await other.close();
    await world.close();
  });

  const sceneOfLast = () => {
    const call = world.wechat.calls('/cgi-bin/qrcode/create').at(-1);
    return /"scene_str":"([^"]+)"/.exec(call?.body ?? '')?.[1] ?? '';
  };
  const scan = (openid: string, scene: string, createTime = Math.floor(Date.now() / 1000)) => ({
    MsgType: 'event',
    Event: 'SCAN',
    FromUserName: openid,
    EventKey: scene,
    CreateTime: createTime,
    Ticket: 'ticket',
  });
  const webhooks = () => [world.url, other.url].map((url) => `${url}/iam/webhook/wechat`);
  const eventsOf = ({ eventsUri }: Device) => [eventsUri, eventsAt(other, eventsUri)];
  const countOf = (sql: string, parameters: unknown[]) =>
    valueOf(world.dataSource, `SELECT count(*)::int FROM ${sql}`, parameters);

  it('that is one delivery three times is one event, one effect and the same answer', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const openid = lan.openid(world.oa);
    await askForQrCode(world.url);
    const fields = scan(openid, sceneOfLast());

    const results = await Promise.all(
      webhooks().map((url) => world.oa.push(fields, { url, times: 3, atOnce: true })),
    );
    const answers = results.flat();

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ reply }) => JSON.stringify(reply))).size).toBe(1);
    expect(await countOf('iam.webhook_events WHERE openid = $1', [openid])).toBe(1);
    expect(await countOf('iam.logins WHERE openid = $1', [openid])).toBe(1);
    expect(
      await countOf(`iam.audit_log WHERE action = 'login.scanned' AND detail ->> 'openid' = $1`, [openid]),
    ).toBe(1);
  });

  it('that is two people is one owner, one session and one anomaly in the audit log', async () => {
    for (let round = 0; round < 5; round += 1) {
      const people = ['甲', '乙'].map((name) => world.wechat.person({ nickname: `${name}${round}` }));
      const openids = people.map((person) => person.openid(world.oa));
      const device = await askForQrCode(world.url);
      const scene = sceneOfLast();

      await Promise.all(
        openids.map((openid, index) => world.oa.push(scan(openid, scene), { url: webhooks()[index] ?? '' })),
      );
      await untilSeen('confirmed', ...eventsOf(device));
      const polls = await Promise.all(
        Array.from({ length: 20 }, (_, index) => poll(index % 2 === 0 ? world.url : other.url, device)),
      );

      expect(polls.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(await countOf('iam.sessions WHERE openid = ANY ($1)', [openids])).toBe(1);
      expect(await countOf('iam.logins WHERE openid = ANY ($1)', [openids])).toBe(1);
      expect(
        await countOf(`iam.audit_log WHERE action LIKE 'login.scan%' AND detail ->> 'openid' = ANY ($1)`, [
          openids,
        ]),
      ).toBe(2);
    }
  }, 60_000);

  it('ends in one session for fifty collects on two replicas', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, hua, device.qr);
    await untilSeen('confirmed', ...eventsOf(device));

    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => poll(index % 2 === 0 ? world.url : other.url, device)),
    );
    const sessions = await countOf('iam.sessions WHERE openid = $1', [hua.openid(world.oa)]);

    expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
    expect(sessions).toBe(1);
  });

  it('changes nothing once it was collected, and the chat says so', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const late = world.wechat.person({ nickname: '后来' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, li, device.qr);
    toTokens(await pollUntilSettled(world.url, device));

    await li.scan(device.qr);
    await scanAndFollow(world, late, device.qr);
    const again = await poll(world.url, device);

    expect(li.chat(world.oa).at(-1)?.text).toContain('二维码已失效');
    expect(late.chat(world.oa).at(-1)?.text).toContain('二维码已失效');
    expect(again.json()['error']).toBe('invalid_grant');
    expect(await countOf('iam.logins WHERE openid = $1', [late.openid(world.oa)])).toBe(0);
  });

  it('survives that its follower leaves before the PC has collected', async () => {
    const wang = world.wechat.person({ nickname: '小王' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, wang, device.qr);
    await wang.unfollow(world.oa);
    const reply = await pollUntilSettled(world.url, device);

    expect(reply.status).toBe(200);
  });

  it('of a scene that we did not make is acknowledged and kept, and its phone is told nothing by us', async () => {
    const zhao = world.wechat.person({ nickname: '小赵' });
    const openid = zhao.openid(world.oa);

    const [result] = await world.oa.push(scan(openid, `iam:${'a'.repeat(43)}`));

    expect(result?.status).toBe(200);
    expect(JSON.stringify(result?.reply ?? '')).not.toContain('二维码已失效');
    expect(await countOf('iam.webhook_events WHERE openid = $1', [openid])).toBe(1);
  });
});

describe('replicas whose clocks disagree', () => {
  it.each([-600, 600])('by %i seconds still agree on when a QR code ends', async (seconds) => {
    const clock = new FakeClock();
    clock.advance(seconds);
    const world = await startFollowWorld({ qr_confirmation: 'tap' }, unlimited);
    const skewed = await startReplica(world, { ...unlimited, clock });
    const lan = world.wechat.person({ nickname: '小兰' });

    const device = await askForQrCode(skewed.url);
    const waiting = await poll(skewed.url, device);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');
    const reply = await pollUntilSettled(skewed.url, device);
    const [login] = await rowsOf(
      world.dataSource,
      'SELECT abs(extract(epoch FROM now() - created_at))::int AS age FROM iam.logins LIMIT 1',
    );
    await skewed.close();
    await world.close();

    expect(waiting.json()['error']).toBe('authorization_pending');
    expect(reply.status).toBe(200);
    expect(login?.['age']).toBeLessThan(60);
  });
});

describe('two processes on one PostgreSQL', () => {
  let world: World;
  let running: ReplicaProcess | undefined;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' }, { options: { rateLimits: 'off' } });
  });
  afterAll(async () => {
    await running?.stop();
    await world.close();
  });

  /** The other process beside the world's: the one that a test has left, or a new one. */
  const startOther = async () => (running ??= await startReplicaProcess(world));
  const end = async (replica: ReplicaProcess, how: 'stop' | 'kill') => {
    running = undefined;
    await replica[how]();
  };
  const pushTo = ({ url }: Pick<World, 'url'>) =>
    world.oa.configureServer({ url: `${url}/iam/webhook/wechat` });
  const whoIs = async (base: string, device: { deviceCode: string }) => {
    const tokens = toTokens(await pollUntilSettled(base, device));
    const me = (await getWith(`${base}/iam/me`, tokens.accessToken)).json();
    return me['identities'];
  };

  it('sign in: the QR code from one, the push to the other, the poll to the first', async () => {
    const other = await startOther();
    const lan = world.wechat.person({ nickname: '小兰' });
    pushTo(other);
    const device = await askForQrCode(world.url);
    const stream = await openEvents(eventsAt(world, device.eventsUri));

    await scanAndFollow(world, lan, device.qr);
    await stream.until('scanned');
    await lan.say(world.oa, device.userCode);
    await stream.until('confirmed');
    stream.close();

    expect(await whoIs(world.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in when the one that took the push is killed right after its answer', async () => {
    const other = await startOther();
    const ming = world.wechat.person({ nickname: '小明' });
    pushTo(other);
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, ming, device.qr);

    const delivery = await ming.say(world.oa, device.userCode);
    await end(other, 'kill');

    expect(delivery.outcome).toBe('answered');
    expect(await whoIs(world.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in when the first is stopped in the middle and the browser goes to the other', async () => {
    const one = await startOther();
    const hua = world.wechat.person({ nickname: '小华' });
    pushTo(one);
    const device = await askForQrCode(one.url);
    const stream = await openEvents(eventsAt(one, device.eventsUri));
    await scanAndFollow(world, hua, device.qr);
    await stream.until('scanned');

    await end(one, 'stop');
    await stream.ended;
    pushTo(world);
    await hua.say(world.oa, device.userCode);

    expect(stream.types).toEqual(['scanned']);
    expect(await whoIs(world.url, device)).toMatchObject([{ kind: 'mp' }]);
  });

  it('sign in, late, when WeChat finds nobody at first: the push comes again to the one that is up', async () => {
    const doomed = await startOther();
    const li = world.wechat.person({ nickname: '小李' });
    pushTo(world);
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, li, device.qr);
    pushTo(doomed);
    await end(doomed, 'kill');

    const lost = await li.say(world.oa, device.userCode);
    pushTo(world);
    const again = await li.say(world.oa, device.userCode);

    expect([lost.outcome, again.outcome]).toEqual(['failed', 'answered']);
    expect(await whoIs(world.url, device)).toMatchObject([{ kind: 'mp' }]);
  });
});
