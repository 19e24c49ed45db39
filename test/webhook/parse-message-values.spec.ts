import { parseMessage } from '../../src/webhook/parse-message.js';
import { toVerifiedEvent } from '../../src/webhook/message.js';

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
    ['{"a":1}', true],
    [' {"a":[1,{"b":"c"}]} ', true],
    ['{"a":1}x', false],
    ['{"a":1,"a":2}', false],
    ['{"a":"\\u0000"}', false],
    ['{"_a":1}', false],
    ['', false],
    ['nothing', false],
  ])('unless something was mended or left out: %j', (source, isWhole) => {
    expect(parseMessage(source).isWhole).toBe(isWhole);
  });
});

describe('the values of a message', () => {
  it('are those of JSON', () => {
    const source =
      ' {"a":true,"b":false,"c":null,"d":-1.25e+3,"e":"\\b\\f\\n\\r\\t\\/","f":[],"g":{},"h":"\\u00e9","i":123456789012345,"j":-1234567890123456,"k":10.25,"l":[1,"a"]}';

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
  ])('are none where the JSON is none: %s', (source) => {
    expect(read(source)).toEqual({});
  });

  it('are those of XML', () => {
    const source = '<xml><a>&lt;&gt;&amp;&quot;&apos;&#x10ffff;</a><b/></xml>';

    expect(parseMessage(source).format).toBe('xml');
    expect(read(source)).toEqual({ a: `<>&"'\u{10ffff}`, b: '' });
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
