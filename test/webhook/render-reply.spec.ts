import fc from 'fast-check';
import {
  toPassiveReply,
  type PassiveReply,
  renderEnvelope,
  renderReply,
} from '../../src/webhook/passive-reply.js';
import { parseMessage } from '../../src/webhook/parse-message.js';

const event = { ToUserName: 'gh_x', FromUserName: 'oX' };
const now = 1_700_000_000_999;
const xml = (reply: PassiveReply) => renderReply(reply, event, 'xml', now);
const read = (source: string): unknown => JSON.parse(JSON.stringify(parseMessage(source).fields));

describe('renderReply', () => {
  it('writes a text from the account to the person', () => {
    expect(xml({ type: 'text', content: '你好' })).toBe(
      '<xml><ToUserName><![CDATA[oX]]></ToUserName><FromUserName><![CDATA[gh_x]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content></xml>',
    );
  });

  it('writes a picture', () => {
    expect(xml({ type: 'image', mediaId: 'm1' })).toContain(
      '<MsgType><![CDATA[image]]></MsgType><Image><MediaId><![CDATA[m1]]></MediaId></Image>',
    );
  });

  it('writes articles and their number', () => {
    const articles = [{ title: 't', url: 'https://a.example' }];

    expect(xml({ type: 'news', articles })).toContain(
      '<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[t]]></Title><Description><![CDATA[]]></Description><PicUrl><![CDATA[]]></PicUrl><Url><![CDATA[https://a.example]]></Url></item></Articles>',
    );
  });

  it('writes JSON to an account that sends JSON', () => {
    const articles = [{ title: 't', description: 'd', picUrl: 'p', url: 'u' }];

    expect(JSON.parse(renderReply({ type: 'news', articles }, event, 'json', now))).toEqual({
      ToUserName: 'oX',
      FromUserName: 'gh_x',
      CreateTime: 1700000000,
      MsgType: 'news',
      ArticleCount: 1,
      Articles: [{ Title: 't', Description: 'd', PicUrl: 'p', Url: 'u' }],
    });
  });

  it('keeps a hostile nickname inside its text', () => {
    const content = 'Hi ]]></Content><Url>http://evil</Url><![CDATA[ ]]> ]]]]>';

    expect(read(xml({ type: 'text', content }))).toMatchObject({ MsgType: 'text', Content: content });
    expect(read(xml({ type: 'text', content }))).not.toHaveProperty('Url');
  });

  it('drops what XML cannot write', () => {
    expect(read(xml({ type: 'text', content: 'a\0\u0008b\ud800c\n' }))).toMatchObject({ Content: 'abc\n' });
  });

  it('stays one well-formed message, whatever it says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (content) => {
        expect(read(xml({ type: 'text', content: `a${content}` }))).toMatchObject({ MsgType: 'text' });
      }),
    );
  });

  it('cuts a text at 2048 bytes without breaking a character', () => {
    const { Content } = JSON.parse(
      renderReply({ type: 'text', content: '🌏'.repeat(600) }, event, 'json', now),
    ) as {
      Content: string;
    };

    expect(Content).toBe('🌏'.repeat(512));
  });
});

describe('renderEnvelope', () => {
  const reply = { Encrypt: 'E==', MsgSignature: 's', TimeStamp: '1713424427', Nonce: '415670741' };

  it('writes the documented XML', () => {
    expect(renderEnvelope(reply, 'xml')).toBe(
      '<xml><Encrypt><![CDATA[E==]]></Encrypt><MsgSignature><![CDATA[s]]></MsgSignature><TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>',
    );
  });

  it('writes the documented JSON', () => {
    expect(renderEnvelope(reply, 'json')).toBe(
      '{"Encrypt":"E==","MsgSignature":"s","TimeStamp":1713424427,"Nonce":"415670741"}',
    );
  });
});

describe('toPassiveReply', () => {
  it.each([
    undefined,
    null,
    '',
    'success',
    42,
    {},
    { type: 'voice' },
    { type: 'text', content: '' },
    { type: 'news', articles: [] },
  ])('finds no reply in %j', (value) => {
    expect(toPassiveReply(value)).toBeNull();
  });

  it('finds the reply of a handler', () => {
    expect(toPassiveReply({ type: 'text', content: 'hi', more: 1 })).toEqual({ type: 'text', content: 'hi' });
  });
});
