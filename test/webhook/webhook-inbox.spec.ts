import { Injectable, Module } from '@nestjs/common';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { Inbox, type LeasedEvent } from '../../src/webhook/inbox/inbox.service.js';
import { OnWechatEvent, type PassiveReply, type WechatEvent } from '../../src/index.js';
import { SkewedClock } from '../support/fake-clock.js';
import { startReplica, type IamApp } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { startReplicaProcess } from '../support/replica-process.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { returnFromPc, redeem, toTokens } from '../support/sign-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { plainPush, safePush, toXml } from '../support/wechat-push.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  textFields,
  type WebhookWorld,
} from '../support/webhook.js';

/** How often a text was handled, by its content, on whatever replica. */
const handled = new Map<string, number>();
let gate: Promise<void> = Promise.resolve();

@Injectable()
class Counter {
  @OnWechatEvent('text')
  async count({ Content }: WechatEvent<'text'>): Promise<PassiveReply> {
    handled.set(Content, (handled.get(Content) ?? 0) + 1);
    if (Content.startsWith('gated')) await gate;
    if (Content.startsWith('poison')) throw new Error('always');
    return { type: 'text', content: 'counted' };
  }

  @OnWechatEvent('CLICK')
  click({ EventKey }: WechatEvent<'CLICK'>): void {
    handled.set(EventKey, (handled.get(EventKey) ?? 0) + 1);
  }
}

@Module({ providers: [Counter] })
class HostModule {}

const host = { imports: [HostModule] };

describe('the inbox', () => {
  let world: WebhookWorld;
  let other: IamApp;
  const log = new LogCapture();
  const clock = new SkewedClock(0);

  beforeAll(async () => {
    world = await startWebhookWorld({}, { ...host, logger: log, clock });
    other = await startReplica(world, { ...host, logger: log, clock });
  });
  afterAll(async () => {
    await other.close();
    await world.close();
  });

  const webhooks = () => [world.webhook, `${other.url}/iam/webhook/wechat`];
  const statusOf = (content: string) =>
    valueOf(world.dataSource, `SELECT status FROM iam.webhook_events WHERE message->>'Content' = $1`, [
      content,
    ]);
  /** As a replica leaves an event that it has stored, but not finished in time. */
  const leaveBehind = async (content: string) => {
    const intake = await world.app.get(Inbox).take({
      provider: 'wechat',
      dedupeKey: content,
      event: 'text',
      openid: 'oX',
      eventAt: new Date(),
      message: textFields(content),
    });
    const sql = 'UPDATE iam.webhook_events SET lease_until = now() WHERE dedupe_key = $1';
    await world.dataSource.query(sql, [content]);
    return intake;
  };
  const dueNow = () =>
    world.dataSource.query(`UPDATE iam.webhook_events SET lease_until = now() WHERE status = 'pending'`);

  it.each(['safe', 'plain'] as const)(
    'keeps one row and one effect of three deliveries at once on two replicas, in %s mode',
    async (mode) => {
      await world.saveProvider({ mp_message_mode: mode });
      clock.pass(5);
      const content = `thrice ${mode}`;
      const push =
        mode === 'safe'
          ? sealed(textFields(content), world)
          : plainPush(toXml(textFields(content)), world.server);
      const [one = '', two = ''] = webhooks();

      const answers = await Promise.all([one, two, one].map((url) => post(url, push)));
      await world.saveProvider({ mp_message_mode: 'safe' });
      const rows = await rowsOf(
        world.dataSource,
        `SELECT status FROM iam.webhook_events WHERE message->>'Content' = $1`,
        [content],
      );

      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(rows).toEqual([{ status: 'done' }]);
      expect(handled.get(content)).toBe(1);
      if (mode === 'plain') clock.pass(5);
    },
  );

  it('answers a repeated delivery as the first, also when WeChat signs it anew and another replica gets it', async () => {
    const fields = textFields('again');
    const [one = '', two = ''] = webhooks();

    const first = await post(one, sealed(fields, world));
    const again = await post(two, sealed(fields, world));

    expect(first.text).toContain('<Encrypt>');
    expect(again.text).toContain('<Encrypt>');
    expect(handled.get('again')).toBe(1);
  });

  it('tells two events of one person in one second apart', async () => {
    const openid = newOpenid();
    const CreateTime = Math.floor(Date.now() / 1000);
    const click = (EventKey: string) =>
      sealed({ ...eventFields('CLICK', openid), EventKey, CreateTime }, world);

    await Promise.all([
      post(world.webhook, click('key-a')),
      post(world.webhook, click('key-b')),
      post(world.webhook, click('key-a')),
    ]);

    expect([handled.get('key-a'), handled.get('key-b')]).toEqual([1, 1]);
  });

  it('tells events apart by whatever differs in them, and by nothing else', async () => {
    const openid = newOpenid();
    const checked = (trace_id: string, changes: Readonly<Record<string, string | number>> = {}) => ({
      ...eventFields('wxa_media_check', openid, { appid: 'wx1', CreateTime: 1_700_000_000, ...changes }),
      trace_id,
      version: 2,
      errcode: 0,
    });
    const inAnotherOrder = Object.fromEntries(Object.entries(checked('one')).reverse());
    const nested = (suggest: string) =>
      JSON.stringify({
        ...checked('one'),
        result: { suggest, label: 100 },
        detail: [{ prob: 90 }, { level: 1 }],
      });
    const nestedInAnotherOrder = JSON.stringify({
      detail: [{ prob: 90 }, { level: 1 }],
      result: { label: 100, suggest: 'pass' },
      ...inAnotherOrder,
    });
    const twice = (second: string) =>
      `{"MsgType":"event","Event":"wxa_media_check","FromUserName":"${openid}","a":1,"a":"${second}"}`;

    for (const message of [
      toXml(checked('one')),
      toXml(checked('two')),
      toXml(checked('one', { appid: 'wx2' })),
      toXml(checked('one')),
      toXml(inAnotherOrder),
      JSON.stringify(inAnotherOrder),
      nested('pass'),
      nested('risky'),
      nestedInAnotherOrder,
      twice('x'),
      twice('y'),
      twice('x'),
    ])
      expect((await post(world.webhook, safePush(message, world.server))).text).toBe('success');
    const stored = await rowsOf(
      world.dataSource,
      `SELECT message->>'trace_id' AS trace, message->>'appid' AS appid, message->'result'->>'suggest' AS suggest
       FROM iam.webhook_events WHERE openid = $1 ORDER BY id`,
      [openid],
    );

    expect(stored).toEqual([
      { trace: 'one', appid: 'wx1', suggest: null },
      { trace: 'two', appid: 'wx1', suggest: null },
      { trace: 'one', appid: 'wx2', suggest: null },
      { trace: 'one', appid: 'wx1', suggest: 'pass' },
      { trace: 'one', appid: 'wx1', suggest: 'risky' },
      { trace: null, appid: null, suggest: null },
      { trace: null, appid: null, suggest: null },
    ]);
  });

  it('says success to a delivery while another replica works on the event', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const push = sealed(textFields('gated on one'), world);
    const [one = '', two = ''] = webhooks();
    const first = post(one, push);
    await until('the first is at work', async () => handled.get('gated on one') === 1);

    const started = performance.now();
    const second = await post(two, push);
    const took = performance.now() - started;
    open();

    expect([second.status, second.text]).toEqual([200, 'success']);
    expect(took).toBeLessThan(2_000);
    expect((await first).text).toContain('<Encrypt>');
    expect(handled.get('gated on one')).toBe(1);
  });

  it('says nothing like success when an event cannot be stored, and takes the next delivery', async () => {
    const push = sealed(textFields('unstored'), world);
    await world.dataSource.query('ALTER TABLE iam.webhook_events RENAME TO webhook_events_away');

    const failed = await post(world.webhook, push);
    await world.dataSource.query('ALTER TABLE iam.webhook_events_away RENAME TO webhook_events');
    const next = await post(world.webhook, push);

    expect(failed.status).toBe(503);
    expect(failed.text).not.toContain('success');
    expect(next.status).toBe(200);
    expect(handled.get('unstored')).toBe(1);
  });

  it('takes up what a replica left in the middle, on any other', async () => {
    const intake = await leaveBehind('left behind');

    await until('done', async () => (await statusOf('left behind')) === 'done');

    expect(intake.kind).toBe('new');
    expect(handled.get('left behind')).toBe(1);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT attempts FROM iam.webhook_events WHERE dedupe_key = 'left behind'`,
      ),
    ).toBe(1);
  });

  it('lets nobody finish an event who lost it to another', async () => {
    const inbox = world.app.get(Inbox);
    const event = {
      provider: 'none',
      dedupeKey: 'stalled',
      event: 'x',
      openid: null,
      eventAt: new Date(),
      message: {},
    };
    const intake = await inbox.take(event);
    const stalled: LeasedEvent | null = intake.kind === 'new' ? intake.leased : null;
    if (stalled === null) throw new Error('not new');
    await world.dataSource.query(
      `UPDATE iam.webhook_events SET lease_token = gen_random_uuid() WHERE dedupe_key = 'stalled'`,
    );

    const finished = await inbox.finish(stalled, { reply: null });
    const failed = await inbox.fail(stalled, {}, 'too late');

    expect([finished, failed]).toEqual([false, null]);
    await world.dataSource.query(`DELETE FROM iam.webhook_events WHERE dedupe_key = 'stalled'`);
  });

  it('gives an event up that fails each time, says so, and goes on with the others', async () => {
    await post(world.webhook, sealed(textFields('poison'), world));
    expect(await statusOf('poison')).toBe('pending');

    // Each time anew: an attempt is seen before its failure, which dates the next one, is recorded.
    await until(
      'dead',
      async () => {
        await dueNow();
        return (await statusOf('poison')) === 'dead';
      },
      40_000,
    );
    const behind = await post(world.webhook, sealed(textFields('behind the poison'), world));
    // A round of the replicas over all that is due.
    await leaveBehind('after the poison');
    await until('done', async () => (await statusOf('after the poison')) === 'done');

    expect(handled.get('poison')).toBe(5);
    expect(behind.text).toContain('<Encrypt>');
    expect(
      log.with('was given up after the last attempt: Counter.count(text): always').length,
    ).toBeLessThanOrEqual(1);
  }, 60_000);

  it('gives an event up that ends the process each time', async () => {
    const inbox = world.app.get(Inbox);
    const event = {
      provider: 'wechat',
      dedupeKey: 'deadly',
      event: 'text',
      openid: 'oX',
      eventAt: new Date(),
      message: textFields('deadly'),
    };
    await inbox.take(event);
    await world.dataSource.query(
      `UPDATE iam.webhook_events SET attempts = 4, lease_until = now() WHERE dedupe_key = 'deadly'`,
    );

    await until('dead', async () => (await statusOf('deadly')) === 'dead');

    expect(handled.has('deadly')).toBe(false);
  });

  it('keeps done events for a week and dead ones for a month', async () => {
    const insert = (key: string, status: string, age: string) =>
      world.dataSource.query(
        `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, received_at)
         VALUES (gen_random_uuid(), 'wechat', $1, 'x', now(), '{}', $2, now() - $3::interval)`,
        [key, status, age],
      );
    await insert('age-done-young', 'done', '6 days');
    await insert('age-done-old', 'done', '8 days');
    await insert('age-dead-young', 'dead', '29 days');
    await insert('age-dead-old', 'dead', '31 days');

    await world.app.get(Cleanup).removeExpired();

    const left = await rowsOf(
      world.dataSource,
      `SELECT dedupe_key FROM iam.webhook_events WHERE dedupe_key LIKE 'age-%' ORDER BY 1`,
    );
    expect(left).toEqual([{ dedupe_key: 'age-dead-young' }, { dedupe_key: 'age-done-young' }]);
  });

  it('hands over what a replica has not finished when it stops', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const leaving = await startReplica(world, host);
    const answer = await post(
      `${leaving.url}/iam/webhook/wechat`,
      sealed(textFields('gated and left'), world),
    );
    const closing = leaving.close();

    await until('handed over', async () => handled.get('gated and left') === 2, 10_000);
    open();
    await closing;
    await until('done', async () => (await statusOf('gated and left')) === 'done');

    expect(answer.text).toBe('success');
  }, 30_000);
});

describe('a push while PostgreSQL is away', () => {
  it('is not answered with success, and is stored when it comes again', async () => {
    const world = await startWebhookWorld();
    const proxy = await TcpProxy.start(world.database.url);
    const iam = await startReplica(world, { databaseUrl: proxy.url });
    const url = `${iam.url}/iam/webhook/wechat`;
    await post(url, sealed(textFields('before'), world));
    const push = sealed(textFields('in the outage'), world);

    await proxy.cut();
    const away = await post(url, push);
    await proxy.restore();
    let back = away;
    await until('it is taken', async () => (back = await post(url, push)).status === 200);
    const stored = await valueOf(
      world.dataSource,
      `SELECT count(*)::int FROM iam.webhook_events WHERE message->>'Content' = 'in the outage'`,
    );
    await iam.close();
    await proxy.cut();
    await world.close();

    expect([away.status, away.code]).toEqual([503, 'database_unavailable']);
    expect([back.status, stored]).toEqual([200, 1]);
  });
});

describe('a replica that is killed', () => {
  it('loses neither the event it has answered nor half of its effect', async () => {
    const world = await startWebhookWorld();
    const lan = world.wechat.person({ nickname: '小兰' });
    toTokens(await redeem(world.url, await returnFromPc(world, lan)));
    const openid = lan.openid(world.site);
    const doomed = await startReplicaProcess(world);
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT 1 FROM iam.sessions WHERE openid = $1 FOR UPDATE', [openid]);
    const fields = { OpenID: openid, AppID: world.site.appid, RevokeInfo: '301' };

    const answer = await post(
      `${doomed.url}/iam/webhook/wechat`,
      sealed(eventFields('user_authorization_revoke', newOpenid(), fields), world),
    );
    await until(
      'the doomed replica waits for the lock',
      async () => (await countWaiting(world.dataSource)) === 1,
    );
    await doomed.kill();
    await runner.commitTransaction();
    await runner.release();
    const between = await valueOf(world.dataSource, 'SELECT status FROM iam.webhook_events');
    // The lease of the killed replica runs out.
    await world.dataSource.query('UPDATE iam.webhook_events SET lease_until = now()');
    await until(
      'done by the other',
      async () => (await valueOf(world.dataSource, 'SELECT status FROM iam.webhook_events')) === 'done',
    );
    const sessions = await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE openid = $1', [
      openid,
    ]);
    const audited = await valueOf(
      world.dataSource,
      `SELECT count(*)::int FROM iam.audit_log WHERE action = 'identity.authorization_revoked'`,
    );
    await world.close();

    expect(answer.text).toBe('success');
    expect(between).toBe('processing');
    expect(sessions).toEqual([{ end_reason: 'authorization_revoked' }]);
    expect(audited).toBe(1);
  }, 60_000);
});
