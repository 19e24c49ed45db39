import { Controller, Injectable, Module, Scope } from '@nestjs/common';
import {
  OnWechatEvent,
  type PassiveReply,
  type WechatEvent,
  type WechatEventContext,
} from '../../src/index.js';
import { LogCapture } from '../support/log-capture.js';
import { platforms, type Create } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { decrypt, plainPush, safePush, toXml } from '../support/wechat-push.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  textFields,
  type WebhookWorld,
} from '../support/webhook.js';

/** Independent of the module's own reader: enough for a flat, well-formed message. */
function parseXml(source: string): Record<string, string> {
  const elements = source.matchAll(/<(\w+)>((?:<!\[CDATA\[[^]*?]]>|[^<])*)<\/\1>/g);
  const text = (content: string) => content.replace(/<!\[CDATA\[([^]*?)]]>/g, '$1');
  return Object.fromEntries([...elements].map(([, name = '', content = '']) => [name, text(content)]));
}

/** What the host's handlers were told, in order. */
const told: string[] = [];
let late = Promise.resolve();

@Injectable()
class Greeter {
  @OnWechatEvent('subscribe')
  welcome({ FromUserName, EventKey }: WechatEvent<'subscribe'>): PassiveReply {
    told.push(`welcome ${EventKey ?? ''}`);
    return { type: 'text', content: `欢迎 ${FromUserName} ]]>` };
  }

  @OnWechatEvent('text')
  async answer(event: WechatEvent<'text'>, { provider }: WechatEventContext): Promise<PassiveReply | null> {
    told.push(`text ${event.Content} ${event.MsgId} of ${provider}`);
    if (event.Content === 'slow') await late;
    if (event.Content === 'news')
      return {
        type: 'news',
        articles: [{ title: 'T', description: 'D', picUrl: 'https://p', url: 'https://u' }],
      };
    if (event.Content === 'image') return { type: 'image', mediaId: 'm1' };
    return event.Content === 'quiet' ? null : { type: 'text', content: `you said ${event.Content}` };
  }

  @OnWechatEvent('text', { provider: 'other' })
  never(): void {
    told.push('never');
  }

  @OnWechatEvent('CLICK')
  @OnWechatEvent('VIEW')
  menu(event: WechatEvent<'CLICK' | 'VIEW'>): void {
    told.push(`${event.Event ?? ''} ${event.EventKey}`);
  }
}

@Controller('host')
class HostController {
  @OnWechatEvent('text')
  fail({ Content }: WechatEvent<'text'>): void {
    if (Content === 'fail') throw new Error('the host is broken');
  }

  @OnWechatEvent('debug_demo')
  returnNonsense(): never {
    return 'nonsense' as never;
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  @OnWechatEvent('text')
  hear(): void {
    told.push('per request');
  }
}

@Injectable()
class Watcher {
  @OnWechatEvent('*')
  hear(event: WechatEvent): void {
    told.push(`* ${event.Event ?? event.MsgType}`);
  }
}

@Module({
  controllers: [HostController],
  providers: [Greeter, { provide: 'alias', useExisting: Greeter }, PerRequest, Watcher],
})
class HostModule {}

describe.each(platforms)('handlers of a host on %s', (_name, create: Create) => {
  let world: WebhookWorld;
  const log = new LogCapture();

  beforeAll(async () => {
    world = await startWebhookWorld({}, { imports: [HostModule], create });
    world.app.useLogger(log);
  });
  afterAll(() => world.close());
  beforeEach(() => {
    told.length = 0;
    log.clear();
  });

  /** What the chat shows: the decrypted reply. */
  const say = async (content: string, openid = newOpenid()): Promise<string> => {
    const answer = await post(world.webhook, sealed(textFields(content, openid), world));
    return open(answer.text);
  };
  const open = (text: string): string => {
    const encrypted = /<Encrypt><!\[CDATA\[(.*?)\]\]>/.exec(text)?.[1];
    return encrypted === undefined ? text : decrypt(encrypted, world.server.encodingAesKey).message;
  };

  const statusOf = (openid: string) =>
    valueOf(world.dataSource, 'SELECT status FROM iam.webhook_events WHERE openid = $1', [openid]);

  it('are told of what concerns them, with the fields of the event and the row', async () => {
    await post(world.webhook, sealed({ ...textFields('hi'), MsgId: '6054768590064713728' }, world));
    await post(world.webhook, sealed(eventFields('CLICK', newOpenid(), { EventKey: 'menu1' }), world));
    await post(world.webhook, sealed(eventFields('VIEW', newOpenid(), { EventKey: 'https://x' }), world));

    expect(told).toEqual([
      'text hi 6054768590064713728 of wechat',
      '* text',
      'CLICK menu1',
      '* CLICK',
      'VIEW https://x',
      '* VIEW',
    ]);
  });

  it('reply with text, articles and pictures, to the person and from the account', async () => {
    const openid = newOpenid();

    const text = await say('hi', openid);
    const news = await say('news');
    const image = await say('image');
    const quiet = await say('quiet');

    expect(text).toContain(
      `<ToUserName><![CDATA[${openid}]]></ToUserName><FromUserName><![CDATA[gh_x]]></FromUserName>`,
    );
    expect(text).toContain('<Content><![CDATA[you said hi]]></Content>');
    expect(news).toContain('<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[T]]></Title>');
    expect(image).toContain('<Image><MediaId><![CDATA[m1]]></MediaId></Image>');
    expect(quiet).toBe('success');
  });

  it('reply in the form and mode of the push', async () => {
    const json = await post(world.webhook, safePush(JSON.stringify(textFields('hi')), world.server));
    await world.saveProvider({ mp_message_mode: 'plain' });
    const plain = await post(world.webhook, plainPush(toXml(textFields('hi')), world.server));
    await world.saveProvider({ mp_message_mode: 'compatible' });
    const compatible = await post(world.webhook, safePush(toXml(textFields('hi')), world.server));
    await world.saveProvider({ mp_message_mode: 'safe' });

    const { Encrypt } = JSON.parse(json.text) as { Encrypt: string };
    expect(JSON.parse(decrypt(Encrypt, world.server.encodingAesKey).message)).toMatchObject({
      MsgType: 'text',
      Content: 'you said hi',
    });
    expect(json.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(plain.text).toMatch(/^<xml><ToUserName>/);
    expect(plain.headers.get('content-type')).toBe('application/xml; charset=utf-8');
    expect(open(compatible.text)).toContain('you said hi');
  });

  it('cannot be made to write another message by what a person calls themself', async () => {
    const answer = await post(
      world.webhook,
      sealed(eventFields('subscribe', 'o]]><Url>http://evil</Url>'), world),
    );
    const reply = parseXml(open(answer.text));

    expect(reply['Content']).toBe('欢迎 o]]><Url>http://evil</Url> ]]>');
    expect(reply).not.toHaveProperty('Url');
  });

  it('never fail the webhook, and lose no other handler’s reply', async () => {
    const reply = await say('fail');
    const rows = await rowsOf(
      world.dataSource,
      `SELECT status, attempts, last_error FROM iam.webhook_events WHERE message->>'Content' = 'fail'`,
    );

    expect(reply).toContain('you said fail');
    expect(rows).toEqual([
      { status: 'pending', attempts: 1, last_error: 'HostController.fail(text): the host is broken' },
    ]);
    expect(log.with('HostController.fail(text) failed')).toHaveLength(1);
    await world.dataSource.query(`DELETE FROM iam.webhook_events WHERE status = 'pending'`);
  });

  it('that return what is no reply are reported', async () => {
    const answer = await post(world.webhook, sealed(eventFields('debug_demo', newOpenid()), world));

    expect(answer.text).toBe('success');
    expect(
      log.with('HostController.returnNonsense(debug_demo) returned something that is no PassiveReply'),
    ).toHaveLength(1);
  });

  it('that are late are waited for no longer than WeChat waits, and are not called again', async () => {
    let finish = (): void => undefined;
    late = new Promise((resolve) => (finish = resolve));
    const openid = newOpenid();
    const push = sealed(textFields('slow', openid), world);
    const started = performance.now();

    const first = await post(world.webhook, push);
    const took = performance.now() - started;
    const duringWork = await post(world.webhook, push);
    finish();
    await until('done', async () => (await statusOf(openid)) === 'done');
    const afterwards = await post(world.webhook, push);

    expect([first.text, duringWork.text]).toEqual(['success', 'success']);
    expect(took).toBeGreaterThan(3_500);
    expect(took).toBeLessThan(4_600);
    expect(open(afterwards.text)).toContain('you said slow');
    expect(told.filter((each) => each.startsWith('text slow'))).toHaveLength(1);
    expect(await statusOf(openid)).toBe('done');
  });

  it('need two round trips, and none to WeChat', async () => {
    await say('warm');
    world.wechat.clearCalls();
    const counter = countQueries(world.database.url);

    const mark = counter.mark();
    await say('hi');
    const withHandler = counter.since(mark);
    const next = counter.mark();
    await post(world.webhook, sealed(eventFields('subscribe', newOpenid()), world));
    const withEffect = counter.since(next);
    counter.stop();

    expect(withHandler).toHaveLength(2);
    expect(withEffect).toHaveLength(2);
    expect(world.wechat.calls()).toEqual([]);
  });
});

it('handlers of a class that lives for a request are refused at start-up, in the log', async () => {
  const log = new LogCapture();
  const world = await startWebhookWorld({}, { imports: [HostModule], logger: log });

  await post(world.webhook, sealed(textFields('hi'), world));
  await world.close();

  expect(log.with('PerRequest.hear is not told of events: its class is not a singleton')).toHaveLength(1);
  expect(told).not.toContain('per request');
});
