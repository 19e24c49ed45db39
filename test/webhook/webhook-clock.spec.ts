import { SkewedClock } from '../support/fake-clock.js';
import { LogCapture } from '../support/log-capture.js';
import { countQueries } from '../support/query-counter.js';
import { safePush, toXml } from '../support/wechat-push.js';
import { post, sealed, startWebhookWorld, textFields, type WebhookWorld } from '../support/webhook.js';

describe.each([-600, 600])('a replica whose clock is %i seconds off', (seconds) => {
  let world: WebhookWorld;
  const clock = new SkewedClock(seconds);
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWebhookWorld({}, { clock, logger });
  });
  afterAll(() => world.close());

  it('takes what WeChat sends now, and sounds the alarm', async () => {
    const answers = [
      await post(world.webhook, sealed(textFields('one'), world)),
      await post(world.webhook, sealed(textFields('two'), world)),
    ];

    expect(answers.map(({ text }) => text)).toEqual(['success', 'success']);
    expect(logger.with("s ahead of PostgreSQL's")).toHaveLength(1);
  });

  it('reads the database’s clock again when its own has stood still meanwhile', async () => {
    const asleep = Date.now() + 2 * seconds * 1000;
    clock.correct(asleep, asleep);
    const early = await post(world.webhook, sealed(textFields('three'), world));
    clock.pass(6);

    const late = await Promise.all(
      ['four', 'five'].map((text) => post(world.webhook, sealed(textFields(text), world))),
    );

    expect(early.code).toBe('webhook_signature_invalid');
    expect(late.map(({ text }) => text)).toEqual(['success', 'success']);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(2_000);
  });

  it('still refuses what is old, without asking the database each time', async () => {
    const timestamp = Math.floor(Date.now() / 1000) + seconds;
    const old = () => post(world.webhook, safePush(toXml(textFields('old')), world.server, { timestamp }));
    await old();
    const counter = countQueries(world.database.url);
    const mark = counter.mark();

    const answers = await Promise.all([old(), old(), old()]);
    const statements = counter.since(mark);
    counter.stop();

    expect(answers.map(({ code }) => code)).toEqual(Array(3).fill('webhook_signature_invalid'));
    expect(statements).toEqual([]);
  });
});
