/** A generator of pseudo-random numbers (mulberry32): the same seed makes the same run. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  openid(): string {
    return `o${Array.from({ length: 27 }, () => this.below(36).toString(36)).join('')}`;
  }
}

const names = [
  'FromUserName',
  'MsgType',
  'Event',
  'EventKey',
  'OpenID',
  'Content',
  'MsgId',
  'Encrypt',
  'xml',
] as const;
const pieces = [
  ...[
    ']]>',
    '<![CDATA[',
    '<!--',
    '-->',
    '<?x ',
    '?>',
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    '&b;',
    '&#0;',
    '&#xd800;',
  ],
  ...[
    '<',
    '>',
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    '","FromUserName":"',
    '{',
    '}',
    '[',
    ']',
    '\u0000',
    '\u0002',
    '\u001d',
  ],
  ...[
    '\ud800',
    '\udfff',
    '\ufffe',
    '🌏',
    '你好',
    ' ',
    '\n',
    'x',
    '1e400',
    '__proto__',
    'constructor',
    'iam:',
    'qrscene_',
  ],
] as const;
const types = [
  'text',
  'image',
  'voice',
  'location',
  'link',
  'event',
  'Event',
  '',
  '\u0000',
  'hologram',
] as const;
const events = [
  'subscribe',
  'unsubscribe',
  'SCAN',
  'CLICK',
  'VIEW',
  'scancode_push',
  'wxa_media_check',
  '',
] as const;

/** Text that somebody typed to break a reader. */
function hostileText(random: Random): string {
  const part = () => {
    if (random.below(3) > 0) return random.pick(pieces);
    const name = random.pick(names);
    return random.pick([`<${name}>`, `</${name}>`, `]]></${name}>`, `<${name}><![CDATA[`, `"${name}":`]);
  };
  return Array.from({ length: random.below(9) }, part).join('');
}

function fieldsOf(random: Random): [string, string | number][] {
  const fields: [string, string | number][] = [
    ['ToUserName', 'gh_x'],
    ['FromUserName', random.openid()],
    ['CreateTime', random.below(10) === 0 ? hostileText(random) : 1_700_000_000 + random.below(1e6)],
    ['MsgType', random.pick(types)],
  ];
  if (random.below(2) === 0) fields.push(['Event', random.pick(events)], ['EventKey', hostileText(random)]);
  fields.push(['Content', hostileText(random)], ['MsgId', random.below(2 ** 31)]);
  if (random.below(4) === 0) fields.push([random.pick(names), hostileText(random)]);
  if (random.below(8) === 0) fields.reverse();
  return fields;
}

/** XML as WeChat writes it: what stands in it is not escaped. */
function toXml(fields: readonly (readonly [string, string | number])[]): string {
  const element = ([name, value]: readonly [string, string | number]) =>
    typeof value === 'number' ? `<${name}>${value}</${name}>` : `<${name}><![CDATA[${value}]]></${name}>`;
  return `<xml>${fields.map(element).join('')}</xml>`;
}

function toJson(random: Random, fields: readonly (readonly [string, string | number])[]): string {
  const depth = random.below(20);
  const members = fields.map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
  return `{${[...members, `"n":${'['.repeat(depth)}${']'.repeat(depth)}`, '"big":1e400'].join(',')}}`;
}

/** A message to sign: mostly well-formed around hostile texts, now and then cut, changed at some bytes, or no message at all. */
export function hostileMessage(random: Random): Buffer {
  const fields = fieldsOf(random);
  const text = random.below(2) === 0 ? toXml(fields) : toJson(random, fields);
  const bytes = Buffer.from(text);
  const fate = random.below(12);
  if (fate === 0) return bytes.subarray(0, random.below(bytes.length));
  if (fate === 1) return Buffer.from(hostileText(random) + String(random.below(2 ** 31)));
  if (fate === 2)
    for (let count = random.below(5); count >= 0; count -= 1)
      bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}
