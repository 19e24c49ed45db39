import { IamError } from '../../src/errors/iam.error.js';
import { forged, type ServerConfiguration } from '../../src/webhook/verify-push.js';
import { MessageCipher } from '../../src/wechat/message-cipher.js';
import { encrypt, newAccount, plainPush, safePush, sign } from '../support/wechat-push.js';
import { account, codeOf, message, type Query, server, verify } from './push-cases.js';

describe('the reason in the log of a push that is refused', () => {
  const now = 1_700_000_000_000;
  const at = { timestamp: 1_700_000_000, nonce: 'n1' };
  const reasonOf = (
    push: { query: Query; body: string | Buffer },
    configuration: ServerConfiguration,
    time = now,
  ) => {
    try {
      return verify(push, configuration, time).appid;
    } catch (error) {
      return error instanceof IamError ? error.detail : error;
    }
  };
  const changed = (name: string, value: string) => {
    const push = safePush(message, account, at);
    return { ...push, query: { ...push.query, [name]: value } };
  };
  const resigned = (timestamp: string, nonce: string) => {
    const push = plainPush(message, account, at);
    return { ...push, query: { timestamp, nonce, signature: sign(account.token, timestamp, nonce) } };
  };
  const form = (name: string) => `${name} is missing or has another form`;
  const genuine = safePush(message, account, at).query['msg_signature'] ?? '';

  it.each([
    ['encrypt_type', 'aesx', form('encrypt_type')],
    ['encrypt_type', 'xaes', form('encrypt_type')],
    ['msg_signature', `${genuine}0`, form('msg_signature')],
    ['msg_signature', `0${genuine}`, form('msg_signature')],
    ['msg_signature', 'a'.repeat(40), 'no encrypted part has this msg_signature'],
    ['signature', 'a'.repeat(40), 'no Token of the row signed this'],
  ])('is the parameter %s that is %s', (name, value, reason) => {
    expect(reasonOf(changed(name, value), server('safe'))).toBe(reason);
  });

  it.each([
    ['01700000000', 'n1', form('timestamp')],
    ['1700000000 ', 'n1', form('timestamp')],
    ['1700000000', ' n1', form('nonce')],
    ['1700000000', 'n1 ', form('nonce')],
    ['1700000000', 'n'.repeat(129), form('nonce')],
    ['1700000000', 'n'.repeat(128), account.appid],
  ])('is a form that WeChat does not sign: timestamp "%s", nonce "%s"', (timestamp, nonce, reason) => {
    expect(reasonOf(resigned(timestamp, nonce), server('plain'))).toBe(reason);
  });

  it.each([
    [300_000, account.appid],
    [-300_000, account.appid],
    [300_600, 'timestamp is 301 s old: is the clock right?'],
    [-300_600, 'timestamp is -301 s old: is the clock right?'],
  ])('is the age, from five minutes on: %i ms', (age, reason) => {
    expect(reasonOf(plainPush(message, account, at), server('plain'), now + age)).toBe(reason);
  });

  it('is the row, where its mode, keys or apps are others', () => {
    const push = safePush(message, account, at);
    const other = newAccount();

    expect(reasonOf(push, server('plain'))).toBe('the message is encrypted, and the row says plain');
    expect(reasonOf(push, server('safe', { keys: [other.encodingAesKey] }))).toBe(
      'no EncodingAESKey of the row opens this for an app of the row',
    );
    expect(reasonOf(push, server('safe', { keys: ['short'] }))).toBe(
      'mp_encoding_aes_key: expected 43 letters and digits',
    );
  });

  it('comes with its cause, where there is one', () => {
    const cause = new Error('x');

    expect(forged('why', cause)).toMatchObject({ code: 'webhook_signature_invalid', detail: 'why', cause });
    expect(forged('why')).not.toHaveProperty('cause');
  });
});

describe('what a push may look like', () => {
  it.each([
    ['<xml><ToUserName>gh_x</ToUserName><Encrypt>AAAA</Encrypt></xml>', 'webhook_signature_invalid'],
    ['<xml><Encrypt>AAAA</Encrypt></xml>', 'webhook_signature_invalid'],
    ['<xml><Encrypt>AAAA</Encrypt><Encrypt>BBBB</Encrypt></xml>', 'verified'],
    ['<xml><ToUserName>gh_x</ToUserName></xml>', 'verified'],
    ['<xml><Encrypt>AAAA</Encrypt><Content>x</Content></xml>', 'verified'],
    ['<xml><Encrypt>AAAA</Encrypt><EncryptX>x</EncryptX></xml>', 'verified'],
    ['<xml><Encrypt>AAAA</Encrypt><AToUserName>x</AToUserName></xml>', 'verified'],
  ])('is an encrypted message in plain mode only with the fields of one: %s', (body, expected) => {
    expect(codeOf(() => verify(plainPush(body, account), server('plain')))).toBe(expected);
  });

  it.each([
    ['without CDATA', (encrypted: string) => `<xml><Encrypt>${encrypted}</Encrypt></xml>`],
    ['with blanks', (encrypted: string) => `<xml><Encrypt> \n<![CDATA[${encrypted}]]></Encrypt></xml>`],
    ['in JSON with blanks', (encrypted: string) => `{ " Encrypt " : "${encrypted}" }`],
  ])('is written %s too', (_how, write) => {
    const encrypted = encrypt(message, account);
    const { query } = safePush(message, account, { encrypted });

    expect(verify({ query, body: write(encrypted) }, server('safe')).fields['Content']).toBe('你好🌏');
  });

  it('does not hide a failure of the cipher itself', () => {
    const opened = jest.spyOn(MessageCipher.prototype, 'open').mockImplementation(() => {
      throw new RangeError('no memory');
    });

    const code = codeOf(() => verify(safePush(message, account), server('safe')));

    opened.mockRestore();
    expect(code).toBe('RangeError: no memory');
  });
});
