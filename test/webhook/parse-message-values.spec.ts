import { parseMessage } from '../../src/webhook/parse-message.js';
import { sceneOf, toVerifiedEvent } from '../../src/webhook/message.js';

const read = (source: string): unknown => JSON.parse(JSON.stringify(parseMessage(source).fields));

describe('a message is whole', () => {
  it.each([
    ['<xml><a>1</a></xml>', true],
    [' <xml> <a>1</a>\n</xml> ', true],
    ['<xml><a>1</a><a>2</a></xml>', true],
    ['<xml>x<a>1</a></xml>', false],
    ['<xml><a>\u0000</a></xml>', false],
    ['<xml><_a>1</_a></xml>', false],
    ['<xml><MsgId>1</MsgId><MsgId>2</MsgId></xml>', false],
    ['<xml><a><b><c><d><e>1</e></d></c></b></a></xml>', false],
    ['<xml/>', true],
    ['<xml><a>1</a/></xml>', false],
    ['<xml><p><Title>1</Title><Title>2</Title></p></xml>', true],
    ['<xml><a>1</a><b>2</b><a>3</a></xml>', false],
    ...['Content', 'Recognition', 'Title', 'Description', 'Url', 'Label', 'Event'].map(
      (name): [string, boolean] => [`<xml><${name}>1</${name}><${name}>2</${name}></xml>`, false],
    ),
    ['{"a":1}', true],
    [' {"a":[1,{"b":"c"}]} ', true],
    ['{"a":1}x', false],
    ['{"a":1,"a":2}', false],
    ['{"a":"\\u0000"}', false],
    ['{"_a":1}', false],
    ['{"a\\u0001":1}', false],
    ['', false],
    ['nothing', false],
  ])('unless something was mended or left out: %j', (source, isWhole) => {
    expect(parseMessage(source).isWhole).toBe(isWhole);
  });
});

describe('the values of a message', () => {
  it('are those of JSON', () => {
    const source =
      ' {"a":true,"b":false,"c":null,"d":-1.25e+3,"e":"\\b\\f\\n\\r\\t\\/","f":[],"g":{},"h":"\\u00e9","i":123456789012345,"j":-1234567890123456,"k":10.25,"l":[1,"a"],"m":0.1234567890123456,"n":1234567890123456.5,"_o":1}';

    expect(parseMessage(source).format).toBe('json');
    expect(read(source)).toEqual({
      a: true,
      b: false,
      c: null,
      d: -1250,
      e: '\ufffd\ufffd\n\r\t/',
      f: [],
      g: {},
      h: 'é',
      i: 123456789012345,
      j: '-1234567890123456',
      k: 10.25,
      l: [1, 'a'],
      m: 0.1234567890123456,
      n: 1234567890123456.5,
    });
  });

  it.each([
    '{"a":1 2}',
    '{a:1}',
    '{a":1}',
    '{"a":x1}',
    '{"a":1x}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a" 1}',
    '{"a":tru}',
    '{"a":1:"b":2}',
    '{abc:1}',
  ])('are none where the JSON is none: %s', (source) => {
    expect(read(source)).toEqual({});
  });

  it('are those of XML', () => {
    const source =
      '<xml v="1"><a>&lt;&gt;&amp;&quot;&apos;&#x10ffff;</a><b/><_c>1</_c><d>2</d><d>3</d></xml>';

    expect(parseMessage(source).format).toBe('xml');
    expect(read(source)).toEqual({ a: `<>&"'\u{10ffff}`, b: '', d: ['2', '3'] });
  });

  /** Not well-formed XML, so that every element is read by its place. */
  const broken = (elements: string) => `<xml>${elements}]]></xml>`;

  it.each<[string, unknown]>([
    [broken('<a>1</a>'), { a: '1' }],
    [broken('<a>&lt;</a>'), { a: '<' }],
    [broken('<Ab >1</Ab>'), { Ab: '1' }],
    [broken('<Ab c="d">1</Ab>'), { Ab: '1' }],
    [broken('<Outer><b>2</b></Outer>'), { Outer: { b: '2' } }],
    [broken('<p><Event>x</Event></p>'), { p: { Event: 'x' } }],
    [broken('<a><![CDATA[]]></a>'), { a: '' }],
    [broken('<a><![CDATA[x]]]]><![CDATA[>y]]></a>'), { a: 'x]]>y' }],
    [broken('<LongLongName><![CDATA[x<c>1</c>]]></LongLongName>'), { LongLongName: 'x<c>1</c>' }],
    [broken('<a><b><c><d><e><f>1</f></e></d></c></b></a>'), { a: { b: { c: { d: { e: '<f>1</f>' } } } } }],
    ['<xml><Content>a]]>b</Content></xml><Extra>1</Extra>', { Content: 'a]]>b' }],
    ['<xml><Content>a]]>b</Content>', { Content: 'a]]>b' }],
    ['<xml></xml><a>1</a>', {}],
  ])('are those of XML that is broken: %s', (source, fields) => {
    expect(read(source)).toEqual(fields);
  });

  it('are looked for two hundred times in XML that is broken', () => {
    const elements = Array.from({ length: 250 }, (_, index) => `<a${index}>1</a${index}>`);

    expect(Object.keys(parseMessage(broken(elements.join(''))).fields)).toHaveLength(200);
  });

  it('are text where an event has its own', () => {
    const event = toVerifiedEvent(parseMessage('{"MsgType":"text","Content":{"a":1},"Other":[1]}').fields);

    expect({ ...event }).toEqual({
      MsgType: 'text',
      CreateTime: 0,
      ToUserName: '',
      FromUserName: '',
      Other: [1],
    });
  });

  it('have no scene without a key', () => {
    const event = toVerifiedEvent(parseMessage('{"MsgType":"event","Event":"SCAN"}').fields);

    expect(event === null ? 'no event' : sceneOf(event)).toBeNull();
  });

  it.each([
    ['123456789012345', 123456789012345],
    ['1234567890123456', 0],
    ['1x', 0],
    ['x1', 0],
  ])('have the time %s as %i', (time, seconds) => {
    const message = `<xml><CreateTime> ${time} </CreateTime><MsgType>text</MsgType></xml>`;

    expect(toVerifiedEvent(parseMessage(message).fields)?.CreateTime).toBe(seconds);
  });
});
