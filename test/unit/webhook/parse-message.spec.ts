import fc from 'fast-check';
import { IamError } from '../../../src/iam.error.js';
import { parseMessage } from '../../../src/webhook/parse-message.js';
import { eventName, sceneOf, toVerifiedEvent } from '../../../src/webhook/verified-event.js';

const scan =
  '<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[oX]]></FromUserName><CreateTime>1348831860</CreateTime>' +
  '<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[a&b]]></EventKey></xml>';

function codeOf(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    return error instanceof IamError ? error.code : String(error);
  }
}

/** Milliseconds of work, whoever else uses the machine. */
function cpuTime(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const event = (source: string) => {
  const read = toVerifiedEvent(parseMessage(source).fields);
  if (read === null) throw new Error('no event');
  return read;
};

describe('parseMessage', () => {
  it('reads the XML of an event', () => {
    expect({ ...event(scan) }).toEqual({
      ToUserName: 'gh_x',
      FromUserName: 'oX',
      CreateTime: 1348831860,
      MsgType: 'event',
      Event: 'SCAN',
      EventKey: 'a&b',
    });
  });

  it('reads the same event as JSON, whose numbers are bare', () => {
    const json =
      '{"ToUserName":"gh_x","FromUserName":"oX","CreateTime":1348831860,"MsgType":"event","Event":"SCAN","EventKey":12}';

    expect(parseMessage(json).format).toBe('json');
    expect({ ...event(json) }).toMatchObject({ CreateTime: 1348831860, Event: 'SCAN', EventKey: '12' });
  });

  it.each([
    ['XML', '<xml><MsgType>text</MsgType><MsgId>6054768590064713728</MsgId></xml>', '6054768590064713728'],
    ['JSON', '{"MsgType":"text","MsgId":6054768590064713729}', '6054768590064713729'],
    ['JSON text', '{"MsgType":"text","MsgId":"49d72d67_1555684067"}', '49d72d67_1555684067'],
  ])('keeps every digit of a MsgId in %s', (_format, source, expected) => {
    expect(event(source).MsgId).toBe(expected);
  });

  it('leaves digits inside JSON texts alone', () => {
    const { fields } = parseMessage('{"Content":"say \\"12345678901234567890\\" 12345678901234567890"}');

    expect(fields['Content']).toBe('say "12345678901234567890" 12345678901234567890');
  });

  it('keeps what a message nests, for the host', () => {
    const { fields } = parseMessage(
      '<xml><SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item><item><PicMd5Sum>b</PicMd5Sum></item></PicList></SendPicsInfo></xml>',
    );

    expect(JSON.parse(JSON.stringify(fields))).toEqual({
      SendPicsInfo: { Count: '2', PicList: { item: [{ PicMd5Sum: 'a' }, { PicMd5Sum: 'b' }] } },
    });
  });

  it('joins a CDATA section that was split and reads the predefined entities', () => {
    const { fields } = parseMessage(
      '<xml><Content><![CDATA[a]]]]><![CDATA[>b]]> &lt;&#20320;&#x1F30F;</Content></xml>',
    );

    expect(fields['Content']).toBe('a]]>b <你🌏');
  });

  it('skips a byte order mark and accepts the XML declaration, whatever encoding it claims', () => {
    const source = Buffer.from(`\ufeff<?xml version="1.0" encoding="UTF-16"?>${scan}`, 'utf8');

    expect(parseMessage(source).fields['Event']).toBe('SCAN');
  });

  const nested = (depth: number) => `<xml>${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}</xml>`;
  const hostile: readonly (readonly [string, string | Buffer])[] = [
    ['a DTD', `<!DOCTYPE xml>${scan}`],
    [
      'an external entity',
      `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`,
    ],
    ['an entity that nobody declared', '<xml><Content>&nbsp;</Content></xml>'],
    [
      'a billion laughs',
      `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><xml>${'&b;'.repeat(10_000)}</xml>`,
    ],
    [
      'a quadratic blow-up',
      `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(30_000)}">]><xml>${'&a;'.repeat(10_000)}</xml>`,
    ],
    ['a processing instruction', '<?xml version="1.0"?><?php echo 1 ?><xml/>'],
    ['a code point out of range', '<xml><Content>&#x110000;</Content></xml>'],
    ['a surrogate by reference', '<xml><Content>&#xD800;</Content></xml>'],
    ['NUL', '<xml><Content>a\0b</Content></xml>'],
    ['NUL by reference', '<xml><Content>&#0;</Content></xml>'],
    ['10,000 nested elements', nested(10_000)],
    ['six levels', nested(6)],
    ['201 elements', `<xml>${'<a/>'.repeat(201)}</xml>`],
    ['FromUserName twice', '<xml><FromUserName>a</FromUserName><FromUserName>b</FromUserName></xml>'],
    ['Encrypt twice', '<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>'],
    ['two roots', '<xml/><xml/>'],
    ['text around the root', 'x<xml/>'],
    ['an element that is not closed', '<xml><Content>a</xml>'],
    ['CDATA that is not closed', '<xml><Content><![CDATA[a</Content></xml>'],
    ['UTF-16', Buffer.from(`\ufeff${scan}`, 'utf16le')],
    ['UTF-7', Buffer.from(`+/v8-${scan}`)],
    [
      'bytes that are not UTF-8',
      Buffer.concat([
        Buffer.from('<xml><Content>'),
        Buffer.from([0xc3, 0x28]),
        Buffer.from('</Content></xml>'),
      ]),
    ],
    ['an attribute', '<xml a="b"/>'],
    ['a megabyte in an attribute', `<xml a="${'x'.repeat(1024 * 1024)}`],
    ['nothing', ''],
    ['JSON cut short', '{"MsgType":"text"'],
    ['nested JSON', `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
    ['a JSON array', '[1]'],
    ['JSON whose text never ends, of escaped quotes', `{"${'\\"'.repeat(32_000)}`],
    ['JSON whose texts begin everywhere and never end', `{${'"\\'.repeat(32_000)}`],
    ['JSON with a number that never ends', `{"a":${'1'.repeat(64_000)}`],
    ['XML with brackets that never close', `<xml><a><![CDATA[${']'.repeat(64_000)}`],
    ['a reference that never ends', `<xml>&${'a'.repeat(64_000)}`],
    ['a comment that never ends', `<xml><!--${' -'.repeat(32_000)}`],
    ['tags that never close', `<xml>${'<'.repeat(64_000)}`],
    ['closing brackets in text', `<xml>${']'.repeat(64_000)}>`],
  ];

  it.each(hostile)('refuses %s within 50 ms', (_what, source) => {
    let code = '';

    const spent = cpuTime(() => (code = codeOf(() => parseMessage(source))));

    expect(code).toBe('webhook_message_invalid');
    expect(spent).toBeLessThan(50);
  });

  it('reads as many harmless references as fit into a body as one text, in time', () => {
    const source = `<xml><Content>${'&#65;'.repeat(13_000)}</Content></xml>`;
    let content: unknown;

    const spent = cpuTime(() => (content = parseMessage(source).fields['Content']));

    expect(content).toBe('A'.repeat(13_000));
    expect(spent).toBeLessThan(50);
  });

  it.each([
    [
      'XML',
      '<xml><__proto__><isAdmin>1</isAdmin></__proto__><constructor>x</constructor><MsgType>text</MsgType></xml>',
    ],
    ['JSON', '{"__proto__":{"isAdmin":1},"constructor":{"prototype":{"isAdmin":1}},"MsgType":"text"}'],
  ])('cannot be made to pollute a prototype by %s', (_format, source) => {
    const { fields } = parseMessage(source);

    expect(Reflect.get({}, 'isAdmin')).toBeUndefined();
    expect(Object.getPrototypeOf(fields)).toBeNull();
    expect(Object.keys(fields)).not.toContain('__proto__');
  });

  it('replaces in JSON what PostgreSQL cannot keep', () => {
    const { fields } = parseMessage('{"Content":"a\\u0000b\\ud800c"}');

    expect(fields['Content']).toBe('a\ufffdb\ufffdc');
  });

  it('reads any bytes or refuses them, and does nothing else', () => {
    const start = Buffer.from(scan);
    const mutation = fc.tuple(fc.nat(start.length - 1), fc.uint8Array({ maxLength: 8 }));

    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = mutations.reduce(
          (mutated, [at, inserted]) =>
            Buffer.concat([mutated.subarray(0, at), inserted, mutated.subarray(at + inserted.length)]),
          start,
        );
        expect(['read', 'webhook_message_invalid']).toContain(codeOf(() => parseMessage(bytes)));
      }),
      { numRuns: 10_000 },
    );
  });

  it('reads any JSON or refuses it, and does nothing else', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.nat(40), fc.string(), (json, at, inserted) => {
        const mutated = json.slice(0, at) + inserted + json.slice(at);
        for (const source of [json, mutated])
          expect(['read', 'webhook_message_invalid']).toContain(
            codeOf(() => toVerifiedEvent(parseMessage(source).fields)),
          );
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('toVerifiedEvent', () => {
  it.each([
    '<a/>',
    '<xml><Event>SCAN</Event></xml>',
    '<xml><MsgType>event</MsgType></xml>',
    '{}',
    '{"MsgType":{"a":1}}',
  ])('finds no event in %s', (source) => {
    expect(toVerifiedEvent(parseMessage(source).fields)).toBeNull();
  });

  it('takes a field that nests for no text', () => {
    const { FromUserName, EventKey } = event(
      '<xml><MsgType>event</MsgType><Event>SCAN</Event><FromUserName><a>x</a></FromUserName><EventKey><a>x</a></EventKey></xml>',
    );

    expect([FromUserName, EventKey]).toEqual(['', undefined]);
  });

  it('is named for the event, or for the kind of message', () => {
    expect(eventName(event(scan))).toBe('SCAN');
    expect(eventName(event('<xml><MsgType>image</MsgType></xml>'))).toBe('image');
  });
});

describe('sceneOf', () => {
  const push = (name: string, key: string) =>
    event(`<xml><MsgType>event</MsgType><Event>${name}</Event><EventKey><![CDATA[${key}]]></EventKey></xml>`);

  it.each([
    ['subscribe', 'qrscene_abc', 'abc'],
    ['subscribe', 'qrscene_qrscene_abc', 'qrscene_abc'],
    ['subscribe', 'last_trade_no_400', null],
    ['subscribe', '', null],
    ['SCAN', 'abc', 'abc'],
    ['SCAN', 'qrscene_abc', 'qrscene_abc'],
    ['SCAN', '', null],
    ['CLICK', 'qrscene_abc', null],
  ])('of %s with the key "%s" is %s', (name, key, scene) => {
    expect(sceneOf(push(name, key))).toBe(scene);
  });
});
