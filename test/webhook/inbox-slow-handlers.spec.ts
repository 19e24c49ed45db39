import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { InboxWorker } from '../../src/webhook/inbox/inbox-worker.service.js';
import { Inbox } from '../../src/webhook/inbox/inbox.service.js';
import { OnWechatEvent, type WechatEvent } from '../../src/index.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';
import { until } from '../support/until.js';

const told: string[] = [];
let gate: Promise<void> = Promise.resolve();

@Injectable()
class Slow {
  @OnWechatEvent('text')
  async hear({ Content }: WechatEvent<'text'>): Promise<void> {
    told.push(Content);
    await gate;
  }
}

@Module({ providers: [Slow] })
class HostModule {}

describe('more slow handlers than a replica works on at once', () => {
  let world: World;
  let open: () => void;

  beforeAll(async () => {
    world = await startWorld();
    // Only the replicas of the tests shall look for what is due.
    await world.app.get(InboxWorker).stop();
  });
  afterAll(() => world.close());
  beforeEach(() => {
    told.length = 0;
    gate = new Promise((resolve) => (open = resolve));
  });

  const count = (condition: string) =>
    valueOf(world.dataSource, `SELECT count(*)::int FROM iam.webhook_events WHERE ${condition}`);

  /** Events that some replica has left behind. */
  async function leaveBehind(name: string, events: number): Promise<void> {
    for (let index = 0; index < events; index += 1) {
      const Content = `${name} ${index}`;
      await world.app.get(Inbox).take({
        provider: 'wechat',
        dedupeKey: Content,
        event: 'text',
        openid: 'oX',
        eventAt: new Date(),
        message: { ToUserName: 'gh_x', FromUserName: 'oX', CreateTime: 1, MsgType: 'text', Content },
      });
    }
    await world.dataSource.query(
      `UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()`,
    );
  }

  it('keep their leases, and are followed by the next as soon as one ends', async () => {
    await leaveBehind('slow', 25);
    const replica = await startReplica(world, { imports: [HostModule] });
    await until('ten at work', () => told.length === 10);
    const held = await valueOf(
      world.dataSource,
      `SELECT min(lease_until)::text FROM iam.webhook_events WHERE status = 'processing'`,
    );

    await until(
      'renewed',
      async () =>
        (await valueOf(
          world.dataSource,
          `SELECT min(lease_until) > $1::timestamptz FROM iam.webhook_events WHERE status = 'processing'`,
          [held],
        )) === true,
    );
    const atOnce = told.length;
    open();
    const released = performance.now();
    await until('all done', async () => (await count(`status = 'done'`)) === 25);
    const took = performance.now() - released;
    await replica.close();

    expect(atOnce).toBe(10);
    expect(told).toHaveLength(25);
    expect(new Set(told).size).toBe(25);
    expect(took).toBeLessThan(1_500);
  });

  it('hold no shutdown that never return, and are left to others', async () => {
    await world.dataSource.query('DELETE FROM iam.webhook_events');
    await leaveBehind('stuck', 12);
    const replica = await startReplica(world, { imports: [HostModule] });
    await until('ten at work', () => told.length === 10);

    const end = await Promise.race([
      replica.close().then(() => 'closed'),
      delay(9_000, 'hangs', { ref: false }),
    ]);

    expect(end).toBe('closed');
    expect(await count(`status = 'pending' AND lease_until <= now()`)).toBe(12);
    open();
  });
});
