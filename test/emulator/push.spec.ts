import { seal, unseal } from '../../emulator/push/cipher.js';
import { sign } from '../../emulator/push/signature.js';
import type { ServerSettings } from '../../emulator/index.js';
import type { Heard } from './support/listener.js';
import { useStage, type Stage } from './support/stage.js';

const fault = '该公众号提供的服务出现故障，请稍后再试';

/** The passive reply of a well-behaved server, in clear. */
function textReply({ lan, oa }: Stage, content: string, change: Record<string, string> = {}): string {
  const fields = {
    ToUserName: lan.openid(oa),
    FromUserName: oa.originalId,
    CreateTime: '1700000000',
    MsgType: 'text',
    Content: content,
    ...change,
  };
  return `<xml>${Object.entries(fields)
    .map(([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`)
    .join('')}</xml>`;
}

/** A reply in its encrypted envelope. */
function sealed(
  { oa }: Stage,
  message: string,
  change: Partial<ServerSettings & { appid: string }> = {},
): string {
  const { token, encodingAesKey } = { ...oa.settings.server, ...change };
  const random = Buffer.from('0123456789abcdef');
  const encrypted = seal({ message, appid: change.appid ?? oa.appid, random }, encodingAesKey);
  const signature = sign(token, '1700000000', 'nonce', encrypted);
  return `<xml><Encrypt><![CDATA[${encrypted}]]></Encrypt><MsgSignature><![CDATA[${signature}]]></MsgSignature><TimeStamp>1700000000</TimeStamp><Nonce><![CDATA[nonce]]></Nonce></xml>`;
}

function query(heard: Heard | undefined, name: string): string {
  return heard?.url.searchParams.get(name) ?? '';
}

describe('a push', () => {
  const stage = useStage();

  it('is signed and, in plain mode, readable', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });

    await lan.follow(oa);
    const heard = app.last;

    expect(heard?.method).toBe('POST');
    expect(heard?.headers).toMatchObject({ 'content-type': 'text/xml', 'user-agent': 'Mozilla/4.0' });
    expect(query(heard, 'signature')).toBe(
      sign(oa.settings.server.token, query(heard, 'timestamp'), query(heard, 'nonce')),
    );
    expect(query(heard, 'openid')).toBe(lan.openid(oa));
    expect(heard?.url.searchParams.has('encrypt_type')).toBe(false);
    expect(heard?.body).toMatch(
      /^<xml><ToUserName><!\[CDATA\[gh_[0-9a-f]{12}\]\]><\/ToUserName><FromUserName>.*<CreateTime>\d+<\/CreateTime><MsgType><!\[CDATA\[event\]\]><\/MsgType><Event><!\[CDATA\[subscribe\]\]><\/Event><EventKey><!\[CDATA\[\]\]><\/EventKey><\/xml>$/,
    );
  });

  it('holds only ToUserName and the ciphertext in safe mode', async () => {
    const { lan, oa, app } = stage();

    await lan.follow(oa);
    const heard = app.last;
    const encrypted = /<Encrypt><!\[CDATA\[(.+)\]\]><\/Encrypt>/.exec(heard?.body ?? '')?.[1] ?? '';
    const { message, appid } = unseal(encrypted, oa.settings.server.encodingAesKey);

    expect(heard?.body).not.toContain('FromUserName');
    expect(query(heard, 'encrypt_type')).toBe('aes');
    expect(query(heard, 'msg_signature')).toBe(
      sign(oa.settings.server.token, query(heard, 'timestamp'), query(heard, 'nonce'), encrypted),
    );
    expect(appid).toBe(oa.appid);
    expect(message).toContain('<Event><![CDATA[subscribe]]></Event>');
  });

  it('holds both in compatible mode', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'compatible' });

    await lan.follow(oa);

    expect(app.last?.body).toContain('<Event><![CDATA[subscribe]]></Event>');
    expect(app.last?.body).toContain('<Encrypt>');
    expect(query(app.last, 'encrypt_type')).toBe('aes');
  });

  it('is flat JSON with long numbers unquoted when the account chose JSON', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain', format: 'json' });
    await lan.follow(oa);

    await lan.say(oa, '你好 "x"');

    expect(app.last?.headers['content-type']).toBe('application/json');
    expect(app.last?.body).toMatch(/"MsgType":"text","Content":"你好 \\"x\\"","MsgId":\d{19}\}$/);
  });

  it('survives a CDATA end in what somebody says', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    await lan.follow(oa);

    await lan.say(oa, 'a]]>b');

    expect(app.last?.body).toContain('<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>');
  });

  it('is signed with a new Token and sealed with a new key as soon as they are changed', async () => {
    const { lan, oa, app } = stage();
    const encodingAesKey = 'B'.repeat(43);
    oa.configureServer({ token: 'rotated', encodingAesKey });

    await lan.follow(oa);
    const encrypted = /<Encrypt><!\[CDATA\[(.+)\]\]>/.exec(app.last?.body ?? '')?.[1] ?? '';

    expect(query(app.last, 'signature')).toBe(
      sign('rotated', query(app.last, 'timestamp'), query(app.last, 'nonce')),
    );
    expect(unseal(encrypted, encodingAesKey).appid).toBe(oa.appid);
  });
});

describe('delivery', () => {
  const stage = useStage();

  it('is repeated three times in all, with the same message and a new signature, and shows the fault in the chat', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    await lan.follow(oa);
    app.heard.length = 0;
    app.respond = (response) => response.writeHead(500).end();

    const delivery = await lan.say(oa, 'hello');

    expect(delivery.outcome).toBe('failed');
    expect(delivery.attempts.map(({ error }) => error)).toEqual(['HTTP 500', 'HTTP 500', 'HTTP 500']);
    expect(new Set(app.heard.map(({ body }) => body)).size).toBe(1);
    expect(new Set(app.heard.map((heard) => query(heard, 'nonce'))).size).toBe(3);
    expect(lan.chat(oa).map(({ from, text }) => [from, text])).toEqual([
      ['person', 'hello'],
      ['wechat', fault],
    ]);
  });

  it('repeats the very same request when told so', async () => {
    const { wechat, lan, oa, app } = stage();
    wechat.rules.redeliverySignedAnew = false;
    app.respond = (response) => response.writeHead(502).end();

    await lan.follow(oa);

    expect(app.heard).toHaveLength(3);
    expect(new Set(app.heard.map(({ url }) => url.href)).size).toBe(1);
  });

  it('gives the server five seconds, or as many as the rule says', async () => {
    const { wechat, lan, oa, app } = stage();
    expect(wechat.rules.pushTimeout).toBe(5000);
    wechat.rules.pushTimeout = 60;
    app.respond = (response) => {
      if (app.heard.length === 2) response.end('success');
    };

    const delivery = await lan.follow(oa);

    expect(delivery?.outcome).toBe('answered');
    expect(delivery?.attempts).toHaveLength(2);
    expect(delivery?.attempts[0]?.error).toBeDefined();
    expect(delivery?.attempts[0]?.milliseconds).toBeGreaterThanOrEqual(50);
  });

  it('does not follow redirects', async () => {
    const { lan, oa, app } = stage();
    app.respond = (response) => response.writeHead(302, { location: '/elsewhere' }).end();

    expect((await lan.follow(oa))?.outcome).toBe('failed');
    expect(app.heard.every(({ url }) => url.pathname === '/wechat')).toBe(true);
  });

  it.each(['', 'success'])('takes %j for an answer without a message', async (body) => {
    const { lan, oa, app } = stage();
    app.respond = (response) => response.end(body);

    expect((await lan.follow(oa))?.outcome).toBe('answered');
    expect(app.heard).toHaveLength(1);
    expect(lan.chat(oa)).toEqual([]);
  });

  it('sends nothing without a server URL', async () => {
    const { account, lan } = stage();
    const silent = account.officialAccount({ oauthDomain: 'localhost' });

    expect((await lan.follow(silent))?.outcome).toBe('unsent');
  });

  it('tells of unfollowing and ignores any reply to it', async () => {
    const { lan, oa, app } = stage();
    await lan.follow(oa);
    app.respond = (response) => response.end('<junk>');

    const delivery = await lan.unfollow(oa);

    expect(delivery).toMatchObject({ outcome: 'answered', fields: { Event: 'unsubscribe' } });
    expect(lan.chat(oa).filter(({ from }) => from === 'wechat')).toHaveLength(0);
  });
});

describe('a passive reply', () => {
  const stage = useStage();

  it('is opened, checked and shown with its links', async () => {
    const { lan, oa, app } = stage();
    const text = 'Hello <a href="https://app.example/confirm?a=1&amp;b=2">confirm</a>';
    app.respond = (response) => response.end(sealed(stage(), textReply(stage(), text)));

    const delivery = await lan.follow(oa);

    expect(delivery?.outcome).toBe('answered');
    expect(lan.chat(oa)).toMatchObject([
      { from: 'account', type: 'text', text, links: ['https://app.example/confirm?a=1&b=2'] },
    ]);
  });

  it('may be a card or a picture', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    const head = (type: string): string =>
      textReply(stage(), '', { MsgType: type })
        .replace('</xml>', '')
        .replace(/<Content>.*<\/Content>/, '');
    app.respond = (response) =>
      response.end(
        `${head('news')}<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[T]]></Title><Description>D &amp; d</Description><PicUrl/><Url><![CDATA[https://app.example/a]]></Url></item></Articles></xml>`,
      );
    await lan.follow(oa);
    app.respond = (response) =>
      response.end(`${head('image')}<Image><MediaId><![CDATA[m1]]></MediaId></Image></xml>`);
    await lan.say(oa, 'picture');

    expect(lan.chat(oa)).toMatchObject([
      {
        type: 'news',
        links: ['https://app.example/a'],
        articles: [{ title: 'T', description: 'D & d', picUrl: '' }],
      },
      { from: 'person' },
      { type: 'image', text: 'm1' },
    ]);
  });

  it.each<readonly [string, (stage: Stage) => string]>([
    ['in clear in safe mode', (stage) => textReply(stage, 'x')],
    ['signed with another token', (stage) => sealed(stage, textReply(stage, 'x'), { token: 'other' })],
    [
      'sealed with another key',
      (stage) => sealed(stage, textReply(stage, 'x'), { encodingAesKey: 'C'.repeat(43) }),
    ],
    ['of another appid', (stage) => sealed(stage, textReply(stage, 'x'), { appid: 'wx0' })],
    ['to somebody else', (stage) => sealed(stage, textReply(stage, 'x', { ToUserName: 'oX' }))],
    [
      'from the appid instead of the raw id',
      (stage) => sealed(stage, textReply(stage, 'x', { FromUserName: stage.oa.appid })),
    ],
    ['with empty content', (stage) => sealed(stage, textReply(stage, ''))],
    ['with junk in front', (stage) => sealed(stage, `junk${textReply(stage, 'x')}`)],
    ['of an unknown type', (stage) => sealed(stage, textReply(stage, 'x', { MsgType: 'event' }))],
    ['in JSON', () => '{"ok":true}'],
    ['of any other text', () => 'OK'],
  ])('%s shows the fault in the chat, without re-delivery', async (_, reply) => {
    const { lan, oa, app } = stage();
    app.respond = (response) => response.end(reply(stage()));

    const delivery = await lan.follow(oa);

    expect(delivery?.outcome).toBe('malformed');
    expect(delivery?.attempts).toHaveLength(1);
    expect(lan.chat(oa)).toMatchObject([{ from: 'wechat', text: fault }]);
  });

  it('may be in clear or encrypted in compatible mode', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'compatible' });
    app.respond = (response) => response.end(textReply(stage(), 'clear'));
    await lan.follow(oa);
    app.respond = (response) => response.end(sealed(stage(), textReply(stage(), 'sealed')));
    await lan.say(oa, 'x');

    expect(
      lan
        .chat(oa)
        .filter(({ from }) => from === 'account')
        .map(({ text }) => text),
    ).toEqual(['clear', 'sealed']);
  });

  it('may be JSON when the account chose JSON', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain', format: 'json' });
    const reply = {
      ToUserName: lan.openid(oa),
      FromUserName: oa.originalId,
      CreateTime: 1,
      MsgType: 'text',
      Content: 'hi',
    };
    app.respond = (response) => response.end(JSON.stringify(reply));

    await lan.follow(oa);

    expect(lan.chat(oa)).toMatchObject([{ text: 'hi' }]);
  });
});

describe('the console’s Submit button', () => {
  const stage = useStage();

  it('accepts a server that checks the signature and echoes the number', async () => {
    const { oa, app } = stage();
    app.respond = (response, { url }) => {
      const get = (name: string): string => url.searchParams.get(name) ?? '';
      const fits = get('signature') === sign(oa.settings.server.token, get('timestamp'), get('nonce'));
      response.end(fits ? get('echostr') : 'no');
    };

    expect(await oa.verifyServer()).toMatchObject({ ok: true, status: 200 });
    expect(app.last?.method).toBe('GET');
  });

  it('refuses quotes around the number, and silence', async () => {
    const { oa, app } = stage();
    app.respond = (response, { url }) => response.end(JSON.stringify(url.searchParams.get('echostr')));
    const quoted = await oa.verifyServer();
    app.respond = (response) => response.socket?.destroy();
    const silent = await oa.verifyServer();

    expect([quoted.ok, silent.ok]).toEqual([false, false]);
    expect(silent.error).toBeDefined();
  });
});

describe('a push of a test’s own making', () => {
  const stage = useStage();

  it('goes out once, unlogged, as forged as wanted', async () => {
    const { oa, app } = stage();

    const [result] = await oa.push(
      { FromUserName: 'oX', MsgType: 'event', Event: 'SCAN', EventKey: 's' },
      {
        mode: 'plain',
        timestamp: 1,
        nonce: 'n',
        token: 'guess',
        tamper: (request) => ({ ...request, body: request.body.replace('SCAN', 'HACK') }),
      },
    );

    expect(result).toMatchObject({ status: 200, body: 'success', reply: { kind: 'none' } });
    expect(query(app.last, 'signature')).toBe(sign('guess', '1', 'n'));
    expect(app.last?.body).toContain('HACK');
    expect(oa.deliveries).toHaveLength(0);
  });

  it('repeats the very same request, one after the other or all at once', async () => {
    const { oa, app } = stage();

    await oa.push({ FromUserName: 'oX', MsgType: 'text', Content: 'x', MsgId: 1n }, { times: 2 });
    await oa.push(
      { FromUserName: 'oX', MsgType: 'text', Content: 'x', MsgId: 2n },
      { times: 3, atOnce: true },
    );

    expect(app.heard).toHaveLength(5);
    expect(new Set(app.heard.map(({ url, body }) => url.href + body)).size).toBe(2);
  });
});
