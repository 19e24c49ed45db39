import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { OnWechatEvent, type WechatEvent } from '../../src/index.js';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startReplica, type IamApp } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { safePush, toXml } from '../support/wechat-push.js';
import {
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  textFields,
  type WebhookWorld,
} from '../support/webhook.js';

/** How often a text was handled, by its content, on whatever replica. */
const handled = new Map<string, number>();
let isBroken = true;

@Injectable()
class Desk {
  @OnWechatEvent('text')
  file({ Content }: WechatEvent<'text'>): void {
    handled.set(Content, (handled.get(Content) ?? 0) + 1);
  }

  @OnWechatEvent('text')
  answer({ Content }: WechatEvent<'text'>): void {
    handled.set(`answer to ${Content}`, (handled.get(`answer to ${Content}`) ?? 0) + 1);
    if (isBroken && Content.startsWith('poison')) throw new Error('the desk is closed');
  }
}

@Module({ providers: [Desk] })
class HostModule {}

const host = { imports: [HostModule], options: adminOptions };

describe('the inbox in the admin API', () => {
  let world: WebhookWorld;
  let replica: IamApp;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWebhookWorld({}, host);
    replica = await startReplica(world, host);
    admin = new AdminClient(world.url);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const idOf = async (content: string) =>
    String(
      await valueOf(world.dataSource, `SELECT id FROM iam.webhook_events WHERE message->>'Content' = $1`, [
        content,
      ]),
    );
  const statusOf = async (id: string) => (await admin.get(`events/${id}`)).json()['status'];
  const replays = (id: string) =>
    rowsOf(
      world.dataSource,
      `SELECT actor, provider, detail->>'status' AS status FROM iam.audit_log
       WHERE action = 'event.replayed' AND detail->>'event_id' = $1`,
      [id],
    );

  /** A message whose last attempt has failed. */
  async function deadEvent(content: string, openid = newOpenid()): Promise<string> {
    await post(world.webhook, sealed(textFields(content, openid), world));
    const id = await idOf(content);
    await until('failed once', async () => (await statusOf(id)) === 'pending');
    await world.dataSource.query(
      'UPDATE iam.webhook_events SET attempts = 4, lease_until = now() WHERE id = $1',
      [id],
    );
    await until('dead', async () => (await statusOf(id)) === 'dead');
    return id;
  }

  it('shows what came, what became of it, and why', async () => {
    const openid = newOpenid();
    const id = await deadEvent('poison shown', openid);

    const [event] = (await admin.get(`events?openid=${openid}`)).items();
    const detail = (await admin.get(`events/${id}`)).json();

    expect(event).toMatchObject({
      id,
      provider: 'wechat',
      event: 'text',
      openid,
      status: 'dead',
      attempts: 5,
      last_error: expect.stringContaining('the desk is closed') as unknown,
      next_attempt_at: null,
    });
    expect(event).not.toHaveProperty('message');
    expect(detail['message']).toMatchObject({ Content: 'poison shown' });
  });

  it('shows a push that cannot be read as it came, and reads it again when it is replayed', async () => {
    const unreadable = `not a message ${randomUUID()}`;
    await post(world.webhook, safePush(unreadable, world.server));
    const [event] = (await admin.get('events?event=unreadable&status=dead')).items();
    const id = String(event?.['id']);
    const detail = (await admin.get(`events/${id}`)).json();
    const readable = textFields('readable by now');
    await world.dataSource.query('UPDATE iam.webhook_events SET raw = $1 WHERE id = $2', [
      Buffer.from(toXml(readable)),
      id,
    ]);

    const replayed = await admin.post(`events/${id}/replay`);
    await until('done', async () => (await statusOf(id)) === 'done');

    expect(event).toMatchObject({
      openid: null,
      attempts: 0,
      last_error: expect.stringContaining('cannot be read') as unknown,
    });
    expect(detail).toMatchObject({ message: {}, raw: Buffer.from(unreadable).toString('base64') });
    expect([replayed.status, handled.get('readable by now')]).toEqual([202, 1]);
  });

  it('narrows the list down by state, provider, openid and kind', async () => {
    const openid = newOpenid();
    await post(world.webhook, sealed(textFields('fine', openid), world));
    const id = await idOf('fine');
    await until('done', async () => (await statusOf(id)) === 'done');

    const found = await Promise.all(
      ['status=done', 'status=dead', 'provider=wechat', 'provider=other', 'event=text', 'event=image'].map(
        async (filter) => (await admin.get(`events?openid=${openid}&${filter}`)).items().length,
      ),
    );

    expect(found).toEqual([1, 0, 1, 0, 1, 0]);
  });

  it('has a dead event worked on again, once however many ask, by whichever replica; what succeeded is not repeated', async () => {
    isBroken = true;
    const id = await deadEvent('poison replayed');
    isBroken = false;
    const before = handled.get('answer to poison replayed') ?? 0;

    const other = new AdminClient(replica.url);
    const replies = await Promise.all(
      Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? admin : other).post(`events/${id}/replay`)),
    );
    await until('done', async () => (await statusOf(id)) === 'done');

    expect(replies.filter((reply) => reply.status !== 202 && reply.code !== 'event_done')).toEqual([]);
    expect(replies.some((reply) => reply.status === 202)).toBe(true);
    expect(handled.get('answer to poison replayed')).toBe(before + 1);
    expect(handled.get('poison replayed')).toBe(1);
    expect(await replays(id)).toEqual([{ actor: 'admin_token', provider: 'wechat', status: 'dead' }]);
    isBroken = true;
  });

  it('gives a replayed event all of its attempts again', async () => {
    const id = await deadEvent('poison twice');

    await admin.post(`events/${id}/replay`);
    await until('tried again', async () => (await admin.get(`events/${id}`)).json()['attempts'] === 1);

    expect(await statusOf(id)).toBe('pending');
  });

  it('works on a finished event again only by force', async () => {
    await post(world.webhook, sealed(textFields('finished'), world));
    const id = await idOf('finished');
    await until('done', async () => (await statusOf(id)) === 'done');

    const refused = await admin.post(`events/${id}/replay`);
    const stillOnce = handled.get('finished');
    const forced = await admin.post(`events/${id}/replay`, { force: true });
    await until('handled again', async () => handled.get('finished') === 2);

    expect([refused.status, refused.code]).toEqual([409, 'event_done']);
    expect([stillOnce, forced.status]).toEqual([1, 202]);
    expect(await replays(id)).toEqual([{ actor: 'admin_token', provider: 'wechat', status: 'done' }]);
  });

  it('leaves an event alone that is being worked on or waits anyway', async () => {
    isBroken = true;
    await post(world.webhook, sealed(textFields('poison waits'), world));
    const id = await idOf('poison waits');
    await until('failed once', async () => (await statusOf(id)) === 'pending');
    await world.dataSource.query(
      `UPDATE iam.webhook_events SET attempts = 3, lease_until = now() + interval '1 hour' WHERE id = $1`,
      [id],
    );

    const reply = await admin.post(`events/${id}/replay`);

    expect(reply.status).toBe(202);
    expect((await admin.get(`events/${id}`)).json()).toMatchObject({ status: 'pending', attempts: 3 });
    expect(await replays(id)).toEqual([]);
  });

  it('has no age to tell when nothing waits', async () => {
    const quiet = await startWebhookWorld({}, { options: adminOptions });

    const reply = await new AdminClient(quiet.url).get('events/summary');
    await quiet.close();

    expect(reply.json()).toEqual({
      counts: { pending: 0, processing: 0, dead: 0, done: 0 },
      oldest_unprocessed_seconds: null,
    });
  });

  it('sums up how many wait, how many were given up, and how old the oldest open one is', async () => {
    await world.dataSource.query(
      `UPDATE iam.webhook_events SET id = '01900000-0000-7000-8000-000000000000', received_at = now() - interval '2 minutes',
         lease_until = now() + interval '1 hour' WHERE message->>'Content' = 'poison waits'`,
    );
    const counted = await rowsOf(
      world.dataSource,
      `SELECT count(*) FILTER (WHERE status = 'dead')::int AS dead, count(*) FILTER (WHERE status = 'done')::int AS done
       FROM iam.webhook_events`,
    );

    const { counts, oldest_unprocessed_seconds: oldest } = (await admin.get('events/summary')).json();

    expect(counts).toMatchObject(counted[0] ?? {});
    expect(Number(oldest)).toBeGreaterThanOrEqual(120);
    expect(Number(oldest)).toBeLessThan(150);
  });

  it('keeps readers from replaying, and strangers out', async () => {
    const id = await deadEvent('poison read');
    const reader = await adminWithPermissions(world, 'iam:events:read');
    const other = await adminWithPermissions(world, 'iam:users:read');

    const replies = [
      await reader.get(`events/${id}`),
      await reader.post(`events/${id}/replay`),
      await other.get('events/summary'),
      await new AdminClient(world.url, null).get('events'),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 403, 403, 401]);
    expect(await statusOf(id)).toBe('dead');
  });

  it('knows no event by a wrong id, and takes no other word than force', async () => {
    const id = await deadEvent('poison strict');
    const replies = [
      ...(await Promise.all(
        [randomUUID(), 'x', '%00'].flatMap((wrong) => [
          admin.get(`events/${wrong}`),
          admin.post(`events/${wrong}/replay`),
        ]),
      )),
      await admin.post(`events/${id}/replay`, { force: 'yes' }),
      await admin.post(`events/${id}/replay`, { status: 'done' }),
    ];

    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404, 400, 400]);
  });
});
