import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { OnWechatEvent, type IamAuditEntry, type IamAuditSink } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { Inbox } from '../../src/webhook/inbox/inbox.service.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';
import { StatementLog } from '../support/statement-log.js';
import { until } from '../support/until.js';

/** What every replica's sink was given, in order, and how the sinks behave. */
const received: IamAuditEntry[] = [];
let batches: number[] = [];
let obstacle: (() => Promise<void> | void) | undefined;

@Injectable()
class HostSink implements IamAuditSink {
  async write(entries: readonly IamAuditEntry[]): Promise<void> {
    await obstacle?.();
    batches.push(entries.length);
    received.push(...entries);
  }
}

const options = { audit: { sink: HostSink } };

let handle: (() => Promise<void>) | undefined;
let work: () => void;
let goOn: () => void;

@Injectable()
class SlowHandler {
  @OnWechatEvent('text')
  async hear(): Promise<void> {
    await handle?.();
  }
}

@Module({ providers: [SlowHandler] })
class SlowHost {}

const textEvent = {
  provider: 'wechat',
  event: 'text',
  openid: 'oX',
  eventAt: new Date(),
  message: { ToUserName: 'gh_x', FromUserName: 'oX', CreateTime: 1, MsgType: 'text', Content: '末' },
};

describe('a sink of the host', () => {
  let world: World;
  let replica: IamApp;
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ options, logger });
    replica = await startReplica(world, { options, logger });
  });
  beforeEach(() => {
    batches = [];
    obstacle = undefined;
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = () => world.wechat.person({ nickname: '录' });
  const waiting = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.audit_outbox');
  const settle = () => until('everything is delivered', async () => (await waiting()) === 0);
  const storedIds = async () =>
    (await rowsOf(world.dataSource, 'SELECT id FROM iam.audit_log ORDER BY id')).map(({ id }) => id);
  const ids = (entries: readonly IamAuditEntry[]) => entries.map(({ id }) => id);
  const insert = (
    source: IamApp['dataSource'] | ReturnType<typeof runner>,
    id: string,
    action = 'test.done',
  ) => source.query('INSERT INTO iam.audit_log (id, action) VALUES ($1, $2)', [id, action]);
  const runner = () => world.dataSource.createQueryRunner();

  it('is given every entry once, in order, whichever replica wrote it', async () => {
    await Promise.all([world, replica, world, replica, world].map(() => onPc(world, person())));

    await settle();

    expect(received.length).toBeGreaterThan(9);
    expect(ids(received).toSorted()).toEqual(await storedIds());
    expect(new Set(ids(received)).size).toBe(received.length);
    const began = received.find(({ action }) => action === 'session.started');
    expect(began).toMatchObject({
      userId: expect.any(String) as string,
      sessionId: expect.any(String) as string,
      clientId: 'web',
      at: expect.any(Date) as Date,
      correlationId: expect.any(String) as string,
      actor: null,
      detail: {},
    });
  });

  it('is given what commits late as well, though later entries are out already; never what is rolled back', async () => {
    const [slow, undone] = [runner(), runner()];
    const [early, lost, late] = [uuidv7(), uuidv7(), uuidv7()];
    for (const each of [slow, undone]) await each.startTransaction();
    await insert(slow, early);
    await insert(undone, lost);
    await insert(world.dataSource, late);
    await until('the later one is there', () => ids(received).includes(late));
    const isEarlyOut = ids(received).includes(early);

    await slow.commitTransaction();
    await undone.rollbackTransaction();
    await until('the late one is there', () => ids(received).includes(early));
    await settle();

    expect(isEarlyOut).toBe(false);
    expect(ids(received)).not.toContain(lost);
    expect(ids(received).filter((id) => id === early || id === late)).toEqual([late, early]);
    for (const each of [slow, undone]) await each.release();
  });

  it('that throws is offered the same entries again, and complained of once', async () => {
    const failing = [uuidv7(), uuidv7(), uuidv7()];
    let attempts = 0;
    logger.clear();
    obstacle = () => {
      attempts += 1;
      if (attempts < 3) throw new Error('the pipeline is down');
    };
    for (const id of failing) await insert(world.dataSource, id);

    await until('a third attempt', () => attempts >= 3);
    await settle();

    expect(ids(received).slice(-3)).toEqual(failing);
    expect(new Set(ids(received)).size).toBe(received.length);
    expect(logger.with('the pipeline is down')).toHaveLength(1);
    await until('the end of the trouble is logged', () => logger.with('delivered again').length === 1);
  });

  it('that is slow holds neither a transaction nor a connection, and gets nothing twice', async () => {
    const id = uuidv7();
    let open = (): void => undefined;
    let calls = 0;
    obstacle = () => {
      calls += 1;
      return new Promise((resolve) => (open = resolve));
    };
    await insert(world.dataSource, id);
    await until('the sink is busy', () => calls === 1);
    const inTransaction = await valueOf(
      world.dataSource,
      `SELECT count(*)::int FROM pg_stat_activity
       WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    );
    await onPc(world, person());

    obstacle = undefined;
    open();
    await settle();

    expect(inTransaction).toBe(0);
    expect(calls).toBe(1);
    expect(ids(received).filter((each) => each === id)).toHaveLength(1);
  });

  it('gets many entries in batches', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.audit_log (id, action) SELECT gen_random_uuid(), 'test.many' FROM generate_series(1, 1203)`,
    );

    await settle();

    expect(batches.filter((size) => size > 1).slice(0, 3)).toEqual([500, 500, 203]);
    const many = received.filter(({ action }) => action === 'test.many');
    expect(new Set(ids(many)).size).toBe(1203);
    expect(ids(many.slice(0, 500))).toEqual(ids(many.slice(0, 500)).toSorted());
  });

  it('gets after a restart what was not delivered before it', async () => {
    const alone = await startWorld({ options });
    const id = uuidv7();
    obstacle = () => Promise.reject(new Error('not now'));
    await insert(alone.dataSource, id, 'test.restart');
    await alone.app.close();
    obstacle = undefined;

    const restarted = await startReplica(alone, { options });
    await until('the entry of before', () => ids(received).includes(id));

    expect(ids(received).filter((each) => each === id)).toHaveLength(1);
    await restarted.close();
    await alone.database.drop();
    await alone.wechat.stop();
  });

  it('gets before a shutdown ends what the last handlers of events have caused', async () => {
    const alone = await startWorld({ options, imports: [SlowHost] });
    const id = uuidv7();
    const isWorking = new Promise<void>((resolve) => (work = resolve));
    const isClosing = new Promise<void>((resolve) => (goOn = resolve));
    handle = async () => {
      work();
      await isClosing;
      await insert(alone.dataSource, id, 'test.last');
    };
    await alone.app.get(Inbox).take({ ...textEvent, dedupeKey: 'last' });
    await alone.dataSource.query(
      `UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()`,
    );
    await isWorking;

    const closing = alone.app.close();
    setImmediate(() => goOn());
    await closing;

    expect(ids(received)).toContain(id);
    await alone.database.drop();
    await alone.wechat.stop();
  });

  it('that no replica has any more keeps nothing waiting', async () => {
    const other = await startWorld();
    await other.dataSource.query(
      `INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES ('host', now() + interval '1 hour')`,
    );
    await insert(other.dataSource, uuidv7());
    const kept = await valueOf(other.dataSource, 'SELECT count(*)::int FROM iam.audit_outbox');

    await other.dataSource.query(
      `UPDATE iam.audit_delivery SET subscribed_until = now() - interval '1 second'`,
    );
    await insert(other.dataSource, uuidv7());
    await other.app.get(Cleanup).removeExpired();

    expect(kept).toBe(1);
    expect(await valueOf(other.dataSource, 'SELECT count(*)::int FROM iam.audit_outbox')).toBe(0);
    await other.close();
  });

  it('that nobody has costs no query', async () => {
    const other = await startWorld();
    const statements = new StatementLog();
    other.dataSource.logger = statements;

    await onPc(other, other.wechat.person({ nickname: '无' }));
    await new Promise((resolve) => setTimeout(resolve, 1_500));

    expect(statements.text).toContain('iam.audit_log');
    expect(statements.text).not.toMatch(/audit_outbox|audit_delivery/);
    expect(await valueOf(other.dataSource, 'SELECT count(*)::int FROM iam.audit_outbox')).toBe(0);
    await other.close();
  });
});

describe('old audit entries', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ options: { audit: { retentionDays: 100 } } });
  });
  afterAll(() => world.close());

  /** Their ids are of no time in which there is a partition, as one in a thousand random ids would be. */
  const add = (days: number, rows = 1) =>
    world.dataSource.query(
      `INSERT INTO iam.audit_log (id, at, action)
       SELECT overlay(gen_random_uuid()::text placing 'ff' from 1)::uuid, now() - make_interval(days => $1::int, mins => 1), 'test.old' FROM generate_series(1, $2::int)`,
      [days, rows],
    );
  const count = (condition: string) =>
    valueOf(
      world.dataSource,
      `SELECT count(*)::int FROM iam.audit_log WHERE action = 'test.old' AND ${condition}`,
    );

  it('are removed in batches once they are past the retention, and no others', async () => {
    await add(100, 1100);
    await add(99, 3);

    await world.app.get(Cleanup).removeExpired();

    expect([await count('true'), await count(`at > now() - interval '100 days'`)]).toEqual([3, 3]);
  });

  it('can be removed by nobody within 30 days', async () => {
    await add(29);
    await add(31);
    const remove = (days: number) =>
      world.dataSource.query(
        `DELETE FROM iam.audit_log WHERE action = 'test.old' AND at < now() - make_interval(days => $1::int)`,
        [days],
      );

    await expect(remove(20)).rejects.toThrow('append-only');
    await remove(30);

    expect(await count('true')).toBe(1);
  });

  it('do not wait for a sink longer than they are kept', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES ('host', now() + interval '1 hour')`,
    );
    await add(101);
    const id = randomUUID();
    await world.dataSource.query(`INSERT INTO iam.audit_log (id, action) VALUES ($1, 'test.new')`, [id]);

    await world.app.get(Cleanup).removeExpired();

    expect(await rowsOf(world.dataSource, 'SELECT id FROM iam.audit_outbox')).toEqual([{ id }]);
  });
});
