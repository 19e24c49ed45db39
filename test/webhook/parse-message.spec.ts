import fc from 'fast-check';
import { parseMessage } from '../../src/webhook/parse-message.js';
import { eventName, sceneOf, toVerifiedEvent } from '../../src/webhook/message.js';

const scan =
  '<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[oX]]></FromUserName><CreateTime>1348831860</CreateTime>' +
  '<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[a&b]]></EventKey></xml>';

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

  it.each([
    ['a control character', 'a\u0002b', 'a\ufffdb'],
    ['NUL', 'a\0b', 'a\ufffdb'],
    ['half a surrogate pair by reference', 'a&#xD800;b', 'a\ufffdb'],
    ['NUL by reference', 'a&#0;b', 'a\ufffdb'],
    ['a reference that names nothing', '&nbsp;&#x110000;', '&nbsp;&#x110000;'],
    ['the end of a CDATA section', 'a]]>b', 'a]]>b'],
    ['a piece of XML', '<status>]]></status>', '<status>]]></status>'],
    ['a CDATA section', '<a><![CDATA[x]]></a>', '<a><![CDATA[x]]></a>'],
    [
      'a message',
      '<xml><Content><![CDATA[x]]></Content></xml>',
      '<xml><Content><![CDATA[x]]></Content></xml>',
    ],
    ['markup that is not one', '<', '<'],
  ])('takes a text with %s as it was typed', (_what, typed, expected) => {
    const content = typed.includes('&') ? typed : `<![CDATA[${typed}]]>`;
    const source = `<xml><FromUserName><![CDATA[oA]]></FromUserName><MsgType>text</MsgType><Content>${content}</Content><MsgId>7</MsgId></xml>`;

    expect({ ...event(source) }).toMatchObject({ FromUserName: 'oA', Content: expected, MsgId: '7' });
  });

  const envelope =
    '<ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[oA]]></FromUserName><CreateTime>1</CreateTime>';
  const injected = [
    '<FromUserName><![CDATA[oEVIL]]></FromUserName>',
    '<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[k]]></EventKey>',
    '<OpenID><![CDATA[oEVIL]]></OpenID><AppID><![CDATA[wx]]></AppID><RevokeInfo><![CDATA[301]]></RevokeInfo>',
    '<CreateTime>2</CreateTime><MsgId>666</MsgId>',
  ].join('');
  const around: readonly (readonly [string, string])[] = [
    ['and opens the text again', `x]]></F>${injected}<F><![CDATA[y`],
    ['and leaves the rest open', `x]]></F>${injected}`],
    ['and opens another', `x]]></F>${injected}<Z><![CDATA[y`],
    ['and begins a comment', `x]]></F>${injected}<!--`],
    ['and begins a processing instruction', `x]]></F>${injected}<?x `],
    ['and ends the message', `x]]></F>${injected}</xml>`],
    ['and begins another message', `x]]></F></xml><xml>${injected}<F><![CDATA[y`],
    ['inside itself', `x]]>${injected}<![CDATA[y`],
    [
      'closing every field before it',
      `]]></MsgType>]]></FromUserName>]]></Event>]]></F>${injected}<F><![CDATA[y`,
    ],
    ['and an attribute', `x]]></F>${injected}<F a="><![CDATA[y`],
  ];
  const messages: readonly (readonly [string, string, string])[] = [
    ['Content', 'text', '<F>@@</F><MsgId>7</MsgId>'],
    ['Recognition', 'voice', '<MediaId><![CDATA[m]]></MediaId><MsgId>7</MsgId><F>@@</F>'],
    ['Label', 'location', '<Location_X>1</Location_X><F>@@</F><MsgId>7</MsgId>'],
    ['Title', 'link', '<F>@@</F><Description><![CDATA[--> ?> "> ]]]]></Description><MsgId>7</MsgId>'],
    ['Description', 'link', '<Title><![CDATA[<!--]]></Title><F>@@</F><Url>u</Url><MsgId>7</MsgId>'],
    ['Unheard', 'hologram', '<F>@@</F><MsgId>7</MsgId>'],
  ];

  describe.each(messages)('a %s that a person has typed', (field, type, rest) => {
    it.each(around)('changes nothing but itself when it breaks out %s', (_how, typed) => {
      const body = rest.replace('@@', () => `<![CDATA[${typed}]]>`).replaceAll('F>', `${field}>`);
      const source = `<xml>${envelope}<MsgType><![CDATA[${type}]]></MsgType>${body.replaceAll('F a=', `${field} a=`)}</xml>`;
      const read = event(source);

      expect([read.FromUserName, read.CreateTime, read.MsgType]).toEqual(['oA', 1, type]);
      expect([read.Event, read.EventKey, read.OpenID, read.AppID, read.RevokeInfo]).toEqual(
        Array(5).fill(undefined),
      );
      expect(JSON.stringify(read[field])).toContain('oEVIL');
    });
  });

  it.each(around)('what a scanned code says changes no event when it breaks out %s', (_how, typed) => {
    const result = typed
      .replaceAll('</F>', '</ScanResult></ScanCodeInfo>')
      .replaceAll('<F>', '<ScanCodeInfo><ScanResult>');
    const source =
      `<xml>${envelope}<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[scancode_push]]></Event><EventKey><![CDATA[menu]]></EventKey>` +
      `<ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[${result}]]></ScanResult></ScanCodeInfo></xml>`;
    const read = event(source);

    expect([read.FromUserName, read.CreateTime, read.Event, read.EventKey]).toEqual([
      'oA',
      1,
      'scancode_push',
      'menu',
    ]);
    expect([read.OpenID, read.AppID, read.RevokeInfo]).toEqual([undefined, undefined, undefined]);
  });

  it('lets no text that anybody types say who sent the message and what it is', () => {
    const pieces = [
      ']]>',
      '<![CDATA[',
      '<!--',
      '-->',
      '<?a ',
      '?>',
      '<!DOCTYPE a [',
      '<a b="',
      '">',
      '/>',
      'x',
      ' ',
    ];
    const names = ['xml', 'FromUserName', 'MsgType', 'Event', 'OpenID', 'Title', 'Description', 'Url', 'a'];
    const tags = names.flatMap((name) => [
      `<${name}>`,
      `</${name}>`,
      `]]></${name}>`,
      `<${name}><![CDATA[`,
      `<${name}/>`,
    ]);
    const typed = fc
      .array(fc.constantFrom(...pieces, ...tags), { maxLength: 12 })
      .map((parts) => parts.join(''));

    fc.assert(
      fc.property(typed, typed, (title, description) => {
        const read = event(
          `<xml>${envelope}<MsgType><![CDATA[link]]></MsgType><Title><![CDATA[${title}]]></Title>` +
            `<Description><![CDATA[${description}]]></Description><Url><![CDATA[u]]></Url><MsgId>7</MsgId></xml>`,
        );
        expect([read.FromUserName, read.CreateTime, read.MsgType]).toEqual(['oA', 1, 'link']);
        expect([read.Event, read.OpenID]).toEqual([undefined, undefined]);
      }),
      { numRuns: 20_000 },
    );
  });

  it('takes the first of two members of one name, which is WeChat’s, and numbers past a double as text', () => {
    const source =
      '{"FromUserName":"oA","MsgType":"text","FromUserName":"oEVIL","Content":"a\u0002\\u0000\\ud800b\\/\\"","n":1e400,"MsgId":18446744073709551615}';

    expect({ ...event(source) }).toMatchObject({
      FromUserName: 'oA',
      Content: 'a\ufffd\ufffd\ufffdb/"',
      n: '1e400',
      MsgId: '18446744073709551615',
    });
  });

  it.each([
    [
      'JSON',
      '{" MsgType":"event"," Event":" user_authorization_revoke"," OpenID":" oX ","AppID":"wx1 ","RevokeInfo":" 8"}',
    ],
    [
      'XML',
      '<xml><MsgType> event</MsgType><Event>user_authorization_revoke</Event>< OpenID> oX</OpenID><AppID><![CDATA[ wx1]]></AppID><RevokeInfo><![CDATA[ 8]]></RevokeInfo></xml>',
    ],
  ])('takes no notice of the blanks in %s that WeChat’s own examples have', (_format, source) => {
    expect({ ...event(source) }).toMatchObject({
      Event: 'user_authorization_revoke',
      OpenID: 'oX',
      AppID: 'wx1',
      RevokeInfo: '8',
    });
  });

  it('keeps what nests too deep as text', () => {
    const { fields } = parseMessage('{"a":{"b":{"c":{"d":{"e":[1,{"f":"}"}]}}}}}');
    const xml = parseMessage('<xml><a><b><c><d><e>1</e></d></c></b></a></xml>').fields;

    expect(JSON.parse(JSON.stringify(fields))).toEqual({ a: { b: { c: { d: { e: '[1,{"f":"}"}]' } } } } });
    expect(JSON.parse(JSON.stringify(xml))).toEqual({ a: { b: { c: { d: '1' } } } });
  });

  const nested = (depth: number) => `<xml>${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}</xml>`;
  const hostile: readonly (readonly [string, string | Buffer])[] = [
    ['a DTD', `<!DOCTYPE xml>${scan}`],
    [
      'an external entity',
      `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`,
    ],
    [
      'a billion laughs',
      `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><xml>${'&b;'.repeat(10_000)}</xml>`,
    ],
    [
      'a quadratic blow-up',
      `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(30_000)}">]><xml>${'&a;'.repeat(10_000)}</xml>`,
    ],
    ['a processing instruction', '<?xml version="1.0"?><?php echo 1 ?><xml/>'],
    ['two roots', '<xml/><xml/>'],
    ['text before the root', 'x<xml/>'],
    ['UTF-16', Buffer.from(`\ufeff${scan}`, 'utf16le')],
    ['UTF-7', Buffer.from(`+/v8-${scan}`)],
    ['an attribute', '<xml a="b"/>'],
    ['a megabyte in an attribute', `<xml a="${'x'.repeat(1024 * 1024)}`],
    ['a name that never ends', `<xml><${'a'.repeat(64_000)}`],
    ['nothing', ''],
    ['JSON cut short', '{"MsgType":"text"'],
    ['a JSON array', '[1]'],
    ['JSON with a constant that is none', '{"MsgType":constructor}'],
    ['JSON whose text never ends, of escaped quotes', `{"${'\\"'.repeat(32_000)}`],
    ['JSON whose texts begin everywhere and never end', `{${'"\\'.repeat(32_000)}`],
    ['JSON with a number that never ends', `{"a":${'1'.repeat(64_000)}`],
    ['JSON that nests and never ends', `{"a":${'[{"a":'.repeat(10_000)}`],
    ['a reference that never ends', `<xml>&${'a'.repeat(64_000)}`],
    ['a comment that never ends', `<xml><!--${' -'.repeat(32_000)}`],
    ['tags that never close', `<xml>${'<'.repeat(64_000)}`],
    ['tags that begin and never close', `<xml>${'<a'.repeat(32_000)}`],
    ['closing brackets in text', `<xml>${']'.repeat(64_000)}>`],
  ];

  it.each(hostile)('finds nothing in %s, within 50 ms', (_what, source) => {
    let fields: unknown;

    const spent = cpuTime(() => (fields = parseMessage(source).fields));

    expect({ ...Object(fields) }).toEqual({});
    expect(spent).toBeLessThan(50);
  });

  const broken: readonly (readonly [string, string, object])[] = [
    ['10,000 nested elements', nested(10_000), { a: { a: { a: { a: '' } } } }],
    ['six levels', nested(6), { a: { a: { a: { a: '' } } } }],
    ['201 elements', `<xml>${'<a/>'.repeat(201)}</xml>`, { a: Array(201).fill('') }],
    [
      'FromUserName twice',
      '<xml><FromUserName>a</FromUserName><FromUserName>b</FromUserName></xml>',
      { FromUserName: 'a' },
    ],
    ['Encrypt twice', '<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>', { Encrypt: 'a' }],
    [
      'CDATA that is not closed',
      '<xml><MsgId>1</MsgId><Content><![CDATA[a</Content></xml>',
      { MsgId: '1', Content: '<![CDATA[a' },
    ],
    ['a list', '<xml><a>1</a><a>2</a><b/></xml>', { a: ['1', '2'], b: '' }],
    [
      'nested JSON',
      `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      { a: [[[['['.repeat(19_996) + ']'.repeat(19_996)]]]] },
    ],
    ['elements that never close', `<xml><MsgId>1</MsgId>${'<a><b>'.repeat(10_000)}`, { MsgId: '1' }],
    ['sections that never close', `<xml><MsgId>1</MsgId>${'<a><![CDATA['.repeat(5_000)}`, { MsgId: '1' }],
    ['brackets that never close', `<xml><MsgId>1</MsgId><a><![CDATA[${']'.repeat(64_000)}`, { MsgId: '1' }],
  ];

  it.each(broken)('reads what there is in %s, within 50 ms', (_what, source, expected) => {
    let fields: unknown;

    const spent = cpuTime(() => (fields = parseMessage(source).fields));

    expect(JSON.parse(JSON.stringify(fields))).toEqual(expected);
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

  it('reads any bytes, and does nothing else', () => {
    const start = Buffer.from(scan);
    const mutation = fc.tuple(fc.nat(start.length - 1), fc.uint8Array({ maxLength: 8 }));

    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = mutations.reduce(
          (mutated, [at, inserted]) =>
            Buffer.concat([mutated.subarray(0, at), inserted, mutated.subarray(at + inserted.length)]),
          start,
        );
        expect(() => parseMessage(bytes)).not.toThrow();
      }),
      { numRuns: 10_000 },
    );
  });

  it('reads any JSON, and does nothing else', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.nat(40), fc.string(), (json, at, inserted) => {
        const mutated = json.slice(0, at) + inserted + json.slice(at);
        for (const source of [json, mutated])
          expect(() => toVerifiedEvent(parseMessage(source).fields)).not.toThrow();
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
