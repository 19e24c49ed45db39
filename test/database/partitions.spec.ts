import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { partitionPast } from '../../bench/admin-lists/many-rows.js';
import { IamHealth, OnWechatEvent, type WechatEvent } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { rowsOf, valueOf, type SqlSource } from '../support/rows.js';
import {
  eventFields,
  newOpenid,
  plain,
  post,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

const DAY = 86_400;

const partitionsOf = async (source: SqlSource, parent: string) =>
  (await rowsOf(source, 'SELECT name FROM iam.partitions_of($1) ORDER BY upper', [parent])).map(({ name }) =>
    String(name),
  );

/** Makes the partitions that a replica would have made so many days ago. */
const rollAt = (source: SqlSource, days: number) =>
  source.query(`SELECT iam.roll_partitions(now() - $1 * interval '1 day', 36500)`, [days]);

/** An entry whose id and time are so many days ago. */
const addEntry = (source: SqlSource, days: number, { idDays = days } = {}) =>
  source.query(
    `INSERT INTO iam.audit_log (id, at, action)
     SELECT overlay(gen_random_uuid()::text PLACING left(iam.partition_key('audit_log', now() - $2 * interval '1 day'), 13) FROM 1)::uuid,
            now() - $1 * interval '1 day', 'test.entry'`,
    [days, idDays],
  );

const addEvent = (
  source: SqlSource,
  { days, status = 'done', key = randomUUID() }: { days: number; status?: string; key?: string },
) =>
  source.query(
    `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, lease_until, received_at)
     SELECT gen_random_uuid(), 'wechat', iam.partition_key('webhook_events', at) || ':' || $3, 'x', at, '{}', $2, now() + interval '1 day', at
     FROM (SELECT now() - $1 * interval '1 day') AS time (at)`,
    [days, status, key],
  );

/** Counts rows that statements delete, in any partition. */
async function countDeletions(source: SqlSource): Promise<() => Promise<unknown>> {
  await source.query(`
    CREATE TABLE deleted (at text);
    CREATE FUNCTION note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.deleted VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
    CREATE TRIGGER deletions AFTER DELETE ON iam.audit_log FOR EACH ROW EXECUTE FUNCTION note_deleted();
    CREATE TRIGGER deletions AFTER DELETE ON iam.webhook_events FOR EACH ROW EXECUTE FUNCTION note_deleted()`);
  return () => valueOf(source, 'SELECT count(*)::int FROM deleted');
}

const clean = (...replicas: readonly IamApp[]) =>
  Promise.all(replicas.map(({ app }) => app.get(Cleanup).removeExpired()));

describe('audit entries and events whose time is over', () => {
  let world: World;
  let other: IamApp;
  let deletions: () => Promise<unknown>;
  const options = { audit: { retentionDays: 400 } };
  const count = (where: string) => valueOf(world.dataSource, `SELECT count(*)::int FROM iam.${where}`);

  beforeAll(async () => {
    world = await startWorld({ options });
    other = await startReplica(world, { options });
    await world.dataSource.query(partitionPast);
    deletions = await countDeletions(world.dataSource);
  });
  afterAll(async () => {
    await other.close();
    await world.close();
  });

  it('leave with their partitions, dropped once by two replicas at once, without a row that is deleted', async () => {
    for (const days of [8, 9, 10]) await rollAt(world.dataSource, days);
    for (const days of [480, 479, 300, 1]) await addEntry(world.dataSource, days);
    for (const days of [10, 9.5, 6, 1]) await addEvent(world.dataSource, { days });
    const made = await partitionsOf(world.dataSource, 'audit_log');

    await clean(world, other);
    await clean(world);

    const left = await partitionsOf(world.dataSource, 'audit_log');
    const lost = made.filter((name) => !left.includes(name));
    expect(lost.length).toBeGreaterThan(0);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM pg_class WHERE relname = ANY ($1)', [lost]),
    ).toBe(0);
    expect(await count(`audit_log WHERE action = 'test.entry'`)).toBe(2);
    expect(await count(`audit_log WHERE at < now() - interval '431 days'`)).toBe(0);
    expect(await count('webhook_events')).toBe(2);
    expect(await count(`webhook_events WHERE received_at < now() - interval '8 days'`)).toBe(0);
    expect(await deletions()).toBe(0);
  });

  it('take their ids out of the outbox, whose first ones a sink would wait for', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES ('host', now() + interval '1 hour')`,
    );
    await addEntry(world.dataSource, 500);
    await addEntry(world.dataSource, 1);

    await clean(world);
    await world.dataSource.query('DELETE FROM iam.audit_delivery');

    expect(await count('audit_outbox JOIN iam.audit_log USING (id)')).toBe(1);
    expect(await count('audit_outbox')).toBe(1);
  });

  it('stay with the partition of an entry that is young, whatever the clock made of its id', async () => {
    const before = await deletions();
    await addEntry(world.dataSource, 20, { idDays: 520 });

    await clean(world);

    expect(
      await count(`audit_log WHERE at > now() - interval '21 days' AND at < now() - interval '19 days'`),
    ).toBe(1);
    expect(await deletions()).toBe(before);
  });

  it('leave dead letters and open events behind, for as long as those are kept', async () => {
    await rollAt(world.dataSource, 12);
    await rollAt(world.dataSource, 40);
    const kept = [
      { days: 12, status: 'done' },
      { days: 12, status: 'dead', key: 'dead-young' },
      { days: 12, status: 'pending', key: 'open' },
      { days: 40, status: 'dead', key: 'dead-old' },
    ];
    for (const event of kept) await addEvent(world.dataSource, event);

    await clean(world);
    await clean(world);

    const keys = await rowsOf(
      world.dataSource,
      `SELECT split_part(dedupe_key, ':', 2) AS key, tableoid::regclass::text AS part FROM iam.webhook_events
       WHERE status <> 'done' ORDER BY 1`,
    );
    expect(keys).toEqual([
      { key: 'dead-young', part: 'iam.webhook_events_default' },
      { key: 'open', part: 'iam.webhook_events_default' },
    ]);
  });

  it('wait for the next run while somebody writes, and nobody who writes waits for them', async () => {
    await addEntry(world.dataSource, 550);
    const before = await partitionsOf(world.dataSource, 'audit_log');
    const writer = world.dataSource.createQueryRunner();
    await writer.startTransaction();
    await addEntry(writer, 0);

    await clean(world);
    const meanwhile = await partitionsOf(world.dataSource, 'audit_log');
    await addEntry(world.dataSource, 0);
    await writer.commitTransaction();
    await writer.release();
    await clean(world);

    expect(meanwhile).toEqual(before);
    expect(await count(`audit_log WHERE at < now() - interval '540 days'`)).toBe(0);
  });

  it('are not looked at by statements about the last days', async () => {
    const recent = `iam.partition_key('audit_log', now() - interval '8 days')::uuid`;

    const plan = await rowsOf(
      world.dataSource,
      `EXPLAIN (ANALYZE) SELECT FROM iam.audit_log WHERE id >= ${recent}`,
    );

    const all = await partitionsOf(world.dataSource, 'audit_log');
    const removed = Number(/Subplans Removed: (\d+)/.exec(JSON.stringify(plan))?.[1]);
    expect(all.length - removed).toBeLessThanOrEqual(6);
    expect(removed).toBeGreaterThan(3);
  });

  it('cannot be changed, nor deleted while they are young, by the name of a partition either', async () => {
    for (const part of await partitionsOf(world.dataSource, 'audit_log')) {
      await expect(world.dataSource.query(`UPDATE iam.${part} SET action = 'x'`)).rejects.toThrow(
        'append-only',
      );
      await expect(world.dataSource.query(`TRUNCATE iam.${part}`)).rejects.toThrow('append-only');
    }
    await addEntry(world.dataSource, 0);
    const part = await valueOf(
      world.dataSource,
      `SELECT tableoid::regclass::text FROM iam.audit_log ORDER BY at DESC LIMIT 1`,
    );
    await expect(
      world.dataSource.query(`DELETE FROM ${String(part)} WHERE at > now() - interval '1 day'`),
    ).rejects.toThrow('append-only');
  });
});

describe('partitions of the time ahead', () => {
  let world: World;
  const clock = new FakeClock();

  beforeAll(async () => {
    world = await startWorld({ clock });
  });
  afterAll(() => world.close());

  const problemsOf = async () => (await world.app.get(IamHealth).check())['iam'];

  it('are missed by health, and made by the next run', async () => {
    for (const name of await partitionsOf(world.dataSource, 'webhook_events'))
      if (/\d$/.test(name)) await world.dataSource.query(`DROP TABLE iam.${name}`);

    const missing = await problemsOf();
    await addEvent(world.dataSource, { days: 0, key: 'meanwhile' });
    await clean(world);
    const made = await problemsOf();

    expect(missing).toMatchObject({
      status: 'up',
      problems: ['partitions_missing'],
      remedy: expect.stringContaining('roll_partitions') as string,
    });
    expect(made).toMatchObject({ status: 'up', problems: [] });
    expect(await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.webhook_events_default`)).toBe(1);
  });

  it('begin within the hour after months without a replica that makes any; what came meanwhile is in the default', async () => {
    clock.advance(200 * DAY);
    await addEntry(world.dataSource, -190);
    await addEntry(world.dataSource, -200);
    const without = await partitionsOf(world.dataSource, 'audit_log');

    await clean(world);
    await addEntry(world.dataSource, -200.2);

    const places = await rowsOf(
      world.dataSource,
      `SELECT tableoid::regclass::text = 'iam.audit_log_default' AS in_default FROM iam.audit_log WHERE action = 'test.entry' ORDER BY id`,
    );
    expect(places.map(({ in_default: isIn }) => isIn)).toEqual([true, true, false]);
    expect((await partitionsOf(world.dataSource, 'audit_log')).length).toBeGreaterThan(without.length);
  });

  it.each([
    [179, [7, 7]],
    [180, [30, 31]],
  ])('are of such a length that entries kept for %d days have few of them', async (days, lengths) => {
    const march = days === 179 ? '2101-03-01' : '2102-03-01';
    await world.dataSource.query('SELECT iam.roll_partitions($1, $2::int)', [march, days]);

    const made = await rowsOf(
      world.dataSource,
      `SELECT right(name, 8)::date - lag(right(name, 8)::date) OVER (ORDER BY name) AS length
       FROM iam.partitions_of('audit_log') WHERE name ~ $1`,
      [`_${march.slice(0, 4)}`],
    );
    expect(made.slice(1).map(({ length }) => length)).toEqual(lengths);
  });
});

describe('a database user without rights of the owner', () => {
  let world: World;
  let shop: IamApp;
  const role = `shop_${randomUUID().slice(0, 8)}`;
  const grants = `GRANT USAGE ON SCHEMA iam TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA iam TO ${role}`;

  beforeAll(async () => {
    world = await startWorld();
    await world.dataSource.query(`CREATE ROLE ${role}; ${grants}`);
    shop = await startReplica(world, {
      typeOrm: { migrationsRun: false, extra: { options: `-c role=${role}` } },
      options: { audit: { retentionDays: 30 }, background: false },
    });
  });
  afterAll(async () => {
    await shop.close();
    await world.dataSource.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await world.close();
  });

  it('loses nothing without the right to the function, removes old rows of the default, and health names the right', async () => {
    await addEntry(world.dataSource, -4000);
    await addEntry(world.dataSource, 31);

    await expect(clean(shop)).rejects.toThrow('roll_partitions');
    const health = (await shop.app.get(IamHealth).check())['iam'];

    expect(health).toMatchObject({ status: 'up', problems: ['partitions_missing'] });
    expect(
      await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.audit_log WHERE action = 'test.entry'`),
    ).toBe(1);
  });

  it('makes and drops partitions with it, and has no other way to', async () => {
    await world.dataSource.query(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA iam TO ${role}`);
    await world.dataSource.query(partitionPast);
    await addEntry(world.dataSource, 100);

    await clean(shop);
    const direct = shop.dataSource.query('DROP TABLE iam.audit_log_default');

    await expect(direct).rejects.toThrow('owner');
    expect(
      await valueOf(
        shop.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE at < now() - interval '90 days'`,
      ),
    ).toBe(0);
    expect((await shop.app.get(IamHealth).check())['iam']).toMatchObject({ problems: [] });
  });
});

const clicks = new Map<string, number>();

@Module({})
class ClickModule {
  @OnWechatEvent('CLICK')
  click({ EventKey }: WechatEvent<'CLICK'>): void {
    clicks.set(EventKey, (clicks.get(EventKey) ?? 0) + 1);
  }
}

describe('a push that comes again', () => {
  let world: WebhookWorld;
  let clock: FakeClock;

  beforeAll(async () => {
    clock = new FakeClock();
    world = await startWebhookWorld({}, { imports: [ClickModule], clock });
    await rollAt(world.dataSource, 1);
  });
  afterAll(() => world.close());

  const midnight = Math.floor(Date.now() / 1000 / DAY) * DAY;
  const click = (EventKey: string, CreateTime: number, openid = newOpenid()) =>
    eventFields('CLICK', openid, { EventKey, CreateTime });
  const partitionsWith = (key: string) =>
    rowsOf(
      world.dataSource,
      `SELECT tableoid::regclass::text AS part FROM iam.webhook_events WHERE message->>'EventKey' = $1 ORDER BY 1`,
      [key],
    );
  const dayAfter = (seconds: number) =>
    new Date((seconds + DAY) * 1000).toISOString().slice(0, 10).replaceAll('-', '');

  it('after midnight is the one from before it; the next second is another partition', async () => {
    const openid = newOpenid();
    const last = click('boundary', midnight - 1, openid);

    const first = await post(world.webhook, sealed(last, world));
    await world.dataSource.query(`UPDATE iam.webhook_events SET received_at = to_timestamp($1)`, [
      midnight - 1,
    ]);
    const again = await post(world.webhook, sealed(last, world));
    await post(world.webhook, sealed(click('boundary', midnight, openid), world));

    expect([first.status, again.status]).toEqual([200, 200]);
    expect(clicks.get('boundary')).toBe(2);
    expect(await partitionsWith('boundary')).toEqual([
      { part: `iam.webhook_events_${dayAfter(midnight - 1)}` },
      { part: `iam.webhook_events_${dayAfter(midnight)}` },
    ]);
  });

  it('of a day without a partition is recognised, also once others have been made', async () => {
    const far = click('far', midnight + 10 * DAY);

    await post(world.webhook, sealed(far, world));
    clock.advance(9 * DAY);
    await clean(world);
    clock.advance(-9 * DAY);
    await post(world.webhook, sealed(far, world));

    expect(clicks.get('far')).toBe(1);
    expect(await partitionsWith('far')).toEqual([{ part: 'iam.webhook_events_default' }]);
  });

  it('in plain mode with another message is refused, whatever days the messages name', async () => {
    await world.saveProvider({ mp_message_mode: 'plain' });
    const { query } = plain(click('plain', midnight), world);
    const send = (seconds: number) =>
      post(world.webhook, { query, body: plain(click('plain', seconds), world).body });

    const statuses = [await send(midnight), await send(midnight - 1)].map(({ status }) => status);
    await world.saveProvider({ mp_message_mode: 'safe' });

    expect(statuses).toEqual([200, 403]);
    expect(await partitionsWith('plain')).toEqual([{ part: 'iam.webhook_events_undated' }]);
  });
});
