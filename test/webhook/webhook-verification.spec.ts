import fc from 'fast-check';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { decrypt, newAccount, plainPush, safePush, sign, toXml } from '../support/wechat-push.js';
import {
  eventFields,
  newOpenid,
  plain,
  post,
  sealed,
  startWebhookWorld,
  textFields,
  type WebhookWorld,
} from '../support/webhook.js';

const handshake = (world: WebhookWorld, changes: Readonly<Record<string, string>> = {}) => {
  const query = { ...plainPush('', world.server).query, echostr: '4375120948345356249', ...changes };
  return fetch(`${world.webhook}?${new URLSearchParams(query).toString()}`);
};

const events = (world: WebhookWorld) =>
  valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.webhook_events');

describe.each(platforms)('the webhook on %s', (_host, create) => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { create });
  });
  afterAll(() => world.close());
  beforeEach(() => world.saveProvider({ mp_message_mode: 'safe', enabled: true }));

  it('echoes what WeChat asks, as bare text', async () => {
    const response = await handshake(world);

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('4375120948345356249');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('echoes markup as text, and nothing to whoever cannot sign', async () => {
    const markup = await handshake(world, { echostr: '<script>alert(1)</script>' });
    const unsigned = await handshake(world, {
      signature: 'a'.repeat(40),
      echostr: '<script>alert(1)</script>',
    });

    expect(await markup.text()).toBe('<script>alert(1)</script>');
    expect(markup.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(unsigned.status).toBe(403);
    expect(await unsigned.text()).not.toContain('script');
  });

  it('takes an event in safe mode and stores it before it says success', async () => {
    const openid = newOpenid();

    const answer = await post(
      world.webhook,
      sealed(eventFields('CLICK', openid, { EventKey: 'menu' }), world),
    );
    const rows = await rowsOf(
      world.dataSource,
      `SELECT provider, event, status, message->>'EventKey' AS key FROM iam.webhook_events WHERE openid = $1`,
      [openid],
    );

    expect([answer.status, answer.text]).toEqual([200, 'success']);
    expect(rows).toEqual([{ provider: 'wechat', event: 'CLICK', status: 'done', key: 'menu' }]);
  });

  it('takes a JSON event in safe mode', async () => {
    const openid = newOpenid();
    const message = JSON.stringify(eventFields('CLICK', openid, { EventKey: 7 }));

    const answer = await post(world.webhook, safePush(message, world.server), {
      'content-type': 'application/json',
    });

    expect([answer.status, answer.text]).toEqual([200, 'success']);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT message->>'EventKey' FROM iam.webhook_events WHERE openid = $1`,
        [openid],
      ),
    ).toBe('7');
  });

  it('takes the encrypted part in compatible mode, whatever the clear part says', async () => {
    await world.saveProvider({ mp_message_mode: 'compatible' });
    const [genuine, forged] = [newOpenid(), newOpenid()];
    const clear = toXml(eventFields('CLICK', forged)).replace(
      /^<xml><ToUserName>.*?<\/ToUserName>|<\/xml>$/g,
      '',
    );

    const answer = await post(
      world.webhook,
      safePush(toXml(eventFields('CLICK', genuine)), world.server, { clear }),
    );
    const openids = await rowsOf(
      world.dataSource,
      'SELECT openid FROM iam.webhook_events WHERE openid = ANY ($1)',
      [[genuine, forged]],
    );

    expect(answer.text).toBe('success');
    expect(openids).toEqual([{ openid: genuine }]);
  });

  it('takes plain messages where the row says plain, and nowhere else', async () => {
    const push = () => plain(textFields('hi'), world);

    const inSafe = await post(world.webhook, push());
    await world.saveProvider({ mp_message_mode: 'compatible' });
    const inCompatible = await post(world.webhook, push());
    await world.saveProvider({ mp_message_mode: 'plain' });
    const inPlain = await post(world.webhook, push());

    expect([inSafe.status, inCompatible.status, inPlain.status]).toEqual([403, 403, 200]);
    expect([inSafe.code, inCompatible.code]).toEqual([
      'webhook_signature_invalid',
      'webhook_signature_invalid',
    ]);
  });

  it('answers every forgery alike and stores none', async () => {
    const before = await events(world);
    const good = sealed(textFields('hi'), world);
    const other = newAccount();
    const foreign = { ...world.server, appid: other.appid };
    const minutes = (count: number) => Math.floor(Date.now() / 1000) + count * 60;
    const forgeries = [
      { ...good, query: {} },
      { ...good, query: { ...good.query, msg_signature: 'a'.repeat(40) } },
      {
        ...good,
        query: {
          ...good.query,
          msg_signature: (good.query['msg_signature'] ?? '').toUpperCase().concat('A').slice(0, 40),
        },
      },
      { ...good, query: { ...good.query, 'msg_signature[]': 'x', msg_signature: '' } },
      { ...good, query: { ...good.query, encrypt_type: 'raw' } },
      { ...good, query: { ...good.query, timestamp: '1' } },
      {
        ...good,
        body: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Encrypt>&e;</Encrypt></xml>',
      },
      { ...good, body: '' },
      safePush(toXml(textFields('hi')), { ...world.server, token: other.token }),
      safePush(toXml(textFields('hi')), { ...world.server, encodingAesKey: other.encodingAesKey }),
      safePush(toXml(textFields('hi')), foreign),
      safePush(toXml(textFields('hi')), world.server, { encrypted: 'AAAA' }),
      safePush(toXml(textFields('hi')), world.server, { timestamp: minutes(-6) }),
      safePush(toXml(textFields('hi')), world.server, { timestamp: 1_000_000_000 }),
      safePush(toXml(textFields('hi')), world.server, { timestamp: minutes(6) }),
      plain(textFields('hi'), world),
    ];

    const answers = await Promise.all(forgeries.map((forgery) => post(world.webhook, forgery)));

    for (const answer of answers)
      expect([answer.status, answer.code]).toEqual([403, 'webhook_signature_invalid']);
    expect(await events(world)).toBe(before);
  });

  it('refuses a parameter that is given twice', async () => {
    const { query, body } = sealed(textFields('hi'), world);
    const twice = `${new URLSearchParams(query).toString()}&msg_signature=${query['msg_signature'] ?? ''}`;

    const response = await fetch(`${world.webhook}?${twice}`, { method: 'POST', body });

    expect(response.status).toBe(403);
  });

  it('does not know a row that is unknown or without Token', async () => {
    const push = sealed(textFields('hi'), world);
    const unknown = await post(`${world.url}/iam/webhook/other`, push);
    await world.saveProvider({ mp_token: null });
    const without = await handshake(world);
    await world.saveProvider({ mp_token: world.server.token });

    expect([unknown.status, without.status]).toEqual([404, 404]);
    expect(unknown.code).toBe('provider_not_found');
  });

  it('goes on taking messages while Token and EncodingAESKey are being changed', async () => {
    const next = { ...newAccount(), appid: world.server.appid };
    await world.saveProvider({
      mp_token: next.token,
      mp_token_previous: world.server.token,
      mp_encoding_aes_key: next.encodingAesKey,
      mp_encoding_aes_key_previous: world.server.encodingAesKey,
    });

    const answers = await Promise.all([
      post(world.webhook, safePush(toXml(textFields('new')), next)),
      post(world.webhook, safePush(toXml(textFields('old')), world.server)),
      post(world.webhook, safePush(toXml(textFields('mixed')), { ...next, token: world.server.token })),
      handshake({ ...world, server: next }),
      handshake(world),
    ]);
    await world.saveProvider({
      mp_token: world.server.token,
      mp_token_previous: null,
      mp_encoding_aes_key: world.server.encodingAesKey,
      mp_encoding_aes_key_previous: null,
    });
    const afterwards = await post(world.webhook, safePush(toXml(textFields('late')), next));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(afterwards.status).toBe(403);
  });

  it.each([
    ['an empty element', '<a/>'],
    ['a message that says nothing', '<xml></xml>'],
    ['an unknown event', toXml({ ...eventFields('never_heard_of', 'oX'), Strange: '1' })],
    ['an unknown kind of message', toXml({ FromUserName: 'oX', CreateTime: 1, MsgType: 'hologram' })],
    ['an event without sender or time', '<xml><MsgType>event</MsgType><Event>SCAN</Event></xml>'],
    ['nested fields', '<xml><MsgType><a>1</a></MsgType><Event><b/></Event></xml>'],
    [
      'a time that is none',
      toXml({ MsgType: 'event', Event: 'VIEW', FromUserName: 'oX', CreateTime: '9e99' }),
    ],
    [
      'names of prototypes',
      '<xml><__proto__><isAdmin>1</isAdmin></__proto__><constructor>1</constructor></xml>',
    ],
    ['JSON with NUL', '{"MsgType":"text","FromUserName":"o\\u0000X","Content":"\\ud800"}'],
    ['the probe of cloud hosting', '<xml><action>CheckContainerPath</action></xml>'],
    ['the probe in JSON', '{"action":"CheckContainerPath"}'],
  ])('answers success to %s when it is signed', async (_what, message) => {
    const answer = await post(world.webhook, safePush(message, world.server));

    expect([answer.status, answer.text]).toEqual([200, 'success']);
  });

  it('answers success to whatever WeChat may invent', async () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,12}$/).filter((each) => each !== 'Encrypt');
    const anyText = fc.string({ unit: 'binary' });
    const xmlText = anyText.map((text) => text.replaceAll(']]>', ''));
    const inXml = fc.record({ event: xmlText, more: fc.dictionary(name, fc.oneof(xmlText, fc.integer())) });
    const inJson = fc.record({ event: anyText, more: fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })) });
    const message = fc.oneof(
      inXml.map(({ event, more }) => toXml({ ...eventFields(event, newOpenid()), ...more })),
      inJson.map(({ event, more }) => JSON.stringify({ ...eventFields(event, newOpenid()), ...more })),
    );

    await fc.assert(
      fc.asyncProperty(message, async (text) => {
        const answer = await post(world.webhook, safePush(text, world.server));
        expect([answer.status, answer.text]).toEqual([200, 'success']);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['hostile XML', `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(20_000)}">]><xml>${'&a;'.repeat(5_000)}</xml>`],
    ['bytes that are no text', Buffer.from([0, 0xff, 0xc3, 0x28, 0])],
    ['JSON cut short', '{"MsgType":"text","Content":"'],
    ['nothing', ''],
  ])('keeps %s as it came when it is signed, once', async (_what, message) => {
    const push = () => safePush(message, world.server);

    const answers = [await post(world.webhook, push()), await post(world.webhook, push())];
    const rows = await rowsOf(
      world.dataSource,
      `SELECT event, openid, status, message, last_error FROM iam.webhook_events WHERE raw = $1`,
      [Buffer.from(message)],
    );

    expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(2).fill([200, 'success']));
    expect(rows).toEqual([
      {
        event: 'unreadable',
        openid: null,
        status: 'dead',
        message: {},
        last_error: expect.stringContaining('cannot be read') as unknown,
      },
    ]);
  });

  it.each(['safe', 'compatible', 'plain'] as const)(
    'takes what a person types into a chat as it was typed, from whom it came, in %s mode',
    async (mode) => {
      await world.saveProvider({ mp_message_mode: mode });
      const victim = newOpenid();
      const texts = [
        'a\u0002b\u0000c',
        'a]]>b',
        ']]></Content></xml>',
        `x]]></Content><FromUserName><![CDATA[${victim}]]></FromUserName><Content><![CDATA[y`,
        `x]]></Content><FromUserName>${victim}</FromUserName><MsgType>event</MsgType><Event>unsubscribe</Event><!--`,
      ];
      const push = (text: string, openid: string) => {
        const message =
          `<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[${openid}]]></FromUserName><CreateTime>1</CreateTime>` +
          `<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[${text}]]></Content><MsgId>1</MsgId></xml>`;
        if (mode === 'plain') return plainPush(message, world.server);
        return safePush(message, world.server, mode === 'safe' ? {} : { clear: message.slice(5, -6) });
      };

      for (const text of texts) {
        const openid = newOpenid();
        const answer = await post(world.webhook, push(text, openid));
        const stored = await rowsOf(
          world.dataSource,
          `SELECT event, message->>'FromUserName' AS "from", message->>'Content' AS content FROM iam.webhook_events WHERE openid = $1`,
          [openid],
        );

        expect([answer.status, answer.text]).toEqual([200, 'success']);
        expect(stored).toEqual([
          { event: 'text', from: openid, content: text.replace(/[\u0000\u0002]/g, '\ufffd') },
        ]);
      }
      expect(
        await rowsOf(world.dataSource, 'SELECT 1 FROM iam.webhook_events WHERE openid = $1', [victim]),
      ).toEqual([]);
    },
  );

  it.each([
    ['application/json', '{"MsgType":"text","Content":"', '"}'],
    ['application/x-www-form-urlencoded', 'a=', '&b=c'],
    ['text/xml', '<xml><Encrypt><![CDATA[', ']]></Encrypt></xml>'],
  ])('reads nothing of %s under a query that nobody signed', async (type, start, end) => {
    const { query } = sealed(textFields('hi'), world);
    const body = `${start}${'x'.repeat(60_000)}${end}`;
    const asText = jest.spyOn(Buffer.prototype, 'toString');
    const decoded = jest.spyOn(TextDecoder.prototype, 'decode');
    const bodiesRead = () =>
      asText.mock.contexts.filter((buffer) => Buffer.isBuffer(buffer) && buffer.length === body.length)
        .length + decoded.mock.calls.filter(([bytes]) => bytes?.byteLength === body.length).length;

    const unsigned = await post(
      world.webhook,
      { query: { ...query, signature: 'a'.repeat(40) }, body },
      { 'content-type': type },
    );
    const read = bodiesRead();
    const signed = await post(world.webhook, { query, body }, { 'content-type': type });
    const readOfSigned = bodiesRead();
    asText.mockRestore();
    decoded.mockRestore();

    expect([unsigned.status, signed.status]).toEqual([403, 403]);
    expect([read, readOfSigned]).toEqual([0, 1]);
  });

  describe('in plain mode', () => {
    beforeEach(() => world.saveProvider({ mp_message_mode: 'plain' }));

    it('refuses another message under a signature that was used, and sounds the alarm', async () => {
      const push = plain(textFields('genuine'), world);
      const forged = toXml(eventFields('SCAN', newOpenid(), { EventKey: 'anything', Ticket: 't' }));

      const first = await post(world.webhook, push);
      const again = await post(world.webhook, push);
      const forgery = await post(world.webhook, { ...push, body: forged });
      const audit = await rowsOf(
        world.dataSource,
        `SELECT provider, detail->>'event' AS event FROM iam.audit_log WHERE action = 'webhook.replay_refused'`,
      );

      expect([first.status, again.status, forgery.status]).toEqual([200, 200, 403]);
      expect(audit).toEqual([{ provider: 'wechat', event: 'SCAN' }]);
    });

    it('does not take the same signature for a new one when timestamp and nonce are cut elsewhere', async () => {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const nonce = '12345';
      const [first = '', second = ''] = [timestamp, nonce].sort();
      const signature = sign(world.server.token, timestamp, nonce);
      const joined = first + second;
      const cuts = Array.from({ length: joined.length - 1 }, (_unused, at) => [
        joined.slice(0, at + 1),
        joined.slice(at + 1),
      ]);
      await post(world.webhook, {
        query: { signature, timestamp, nonce },
        body: toXml(textFields('genuine')),
      });

      const answers = await Promise.all(
        cuts
          .flatMap(([one = '', two = '']) => [
            [one, two],
            [two, one],
          ])
          .map(([one = '', two = '']) =>
            post(world.webhook, {
              query: { signature, timestamp: one, nonce: two },
              body: toXml(textFields('forged')),
            }),
          ),
      );

      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
    });

    it('answers three deliveries of one message at once alike', async () => {
      const push = plain(textFields('three times'), world);

      const answers = await Promise.all([1, 2, 3].map(() => post(world.webhook, push)));

      expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(3).fill([200, 'success']));
    });
  });
});

describe('a reply in safe mode', () => {
  it('is encrypted for the app and signed, which the emulator of WeChat accepts', async () => {
    const world = await startWebhookWorld({ qr_enabled: true });
    world.oa.configureServer({ url: world.webhook, ...world.server, mode: 'safe' });

    const checked = await world.oa.verifyServer();
    const device = await fetch(`${world.url}/iam/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'web', provider: 'wechat' }),
    });
    const { verification_uri_complete: qr } = (await device.json()) as { verification_uri_complete: string };
    const lan = world.wechat.person({ nickname: '小兰' });
    await lan.scan(qr);
    const delivery = world.oa.deliveries.at(-1);
    const body = delivery?.attempts[0]?.body ?? '';
    const encrypted = /<Encrypt><!\[CDATA\[(.*?)\]\]>/.exec(body)?.[1] ?? '';
    await world.close();

    expect(checked.ok).toBe(true);
    expect(delivery?.outcome).toBe('answered');
    expect(delivery?.reply?.type).toBe('text');
    expect(decrypt(encrypted, world.server.encodingAesKey).appid).toBe(world.oa.appid);
  });
});
