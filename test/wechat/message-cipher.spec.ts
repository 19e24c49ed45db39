import { createCipheriv, createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { Secret } from '../../src/crypto/secret.js';
import {
  isEncodingAesKey,
  MessageCipher,
  MessageRefused,
  isSignature,
  signatureOf,
} from '../../src/wechat/message-cipher.js';
import { messageVectors, platformVector, replyVector, signatureVectors } from './message-vectors.js';

describe('the plain signature', () => {
  it.each(signatureVectors)('of %s, %s, %s is WeChat’s', (token, timestamp, nonce, signature) => {
    expect(signatureOf({ token, timestamp, nonce })).toBe(signature);
    expect(isSignature(signature, { token, timestamp, nonce })).toBe(true);
  });

  it.each(messageVectors)('of $name is WeChat’s', ({ signature, ...vector }) => {
    expect(signatureOf(vector)).toBe(signature);
  });

  it.each([
    '',
    '3435472f',
    '3435472f35c629634a18a8c5a94eba3be9eb8dff0',
    '3435472F35C629634A18A8C5A94EBA3BE9EB8DFF',
    'x'.repeat(40),
  ])('is not %j', (signature) => {
    expect(isSignature(signature, { token: 'weixin', timestamp: '1500000000', nonce: 'nonce123' })).toBe(
      false,
    );
  });
});

describe('an encrypted message', () => {
  it.each([...messageVectors, replyVector])('opens: $name', (vector) => {
    expect(new MessageCipher(vector.appid, vector.encodingAesKey).open(vector).toString()).toBe(
      vector.message,
    );
  });

  it.each([...messageVectors, replyVector])('is sealed exactly as WeChat does: $name', (vector) => {
    const cipher = new MessageCipher(vector.appid, new Secret(vector.encodingAesKey));

    expect(cipher.seal(vector.message, vector, Buffer.from(vector.random))).toEqual({
      Encrypt: vector.encrypted,
      MsgSignature: vector.msgSignature,
      TimeStamp: vector.timestamp,
      Nonce: vector.nonce,
    });
  });

  it('opens for a third-party platform', () => {
    const message = new MessageCipher(platformVector.appid, platformVector.encodingAesKey).open(
      platformVector,
    );

    expect(Buffer.byteLength(message)).toBe(platformVector.messageLength);
    expect(message.toString()).toMatch(/^<xml>[\s\S]*<\/xml>$/);
    expect(signatureOf(platformVector)).toBe(platformVector.signature);
  });

  it('is never sealed the same way twice', () => {
    const [vector] = messageVectors;
    if (vector === undefined) throw new Error('no vector');
    const cipher = new MessageCipher(vector.appid, vector.encodingAesKey);

    expect(cipher.seal('same', vector).Encrypt).not.toBe(cipher.seal('same', vector).Encrypt);
  });
});

describe('a forged message', () => {
  const signed = { token: 'spamtest', timestamp: '1409735669', nonce: '1320562132' };
  const appid = 'wx2c2769f8efd9abc2';
  const encodingAesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
  const cipher = new MessageCipher(appid, encodingAesKey);

  /** The forger knows the Token: the signature is right, whatever the ciphertext. */
  const signedWith = (encrypted: string) => ({ ...signed, encrypted, msgSignature: sign(encrypted) });

  function sign(encrypted: string): string {
    const parts = [signed.token, signed.timestamp, signed.nonce, encrypted].sort();
    return createHash('sha1').update(parts.join('')).digest('hex');
  }

  /** Any plaintext under the right key, padded as said. */
  function encrypt(...parts: (string | Buffer)[]): string {
    const key = Buffer.from(`${encodingAesKey}=`, 'base64');
    const cbc = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
    return Buffer.concat([
      cbc.update(Buffer.concat(parts.map((part) => Buffer.from(part)))),
      cbc.final(),
    ]).toString('base64');
  }

  const length = (bytes: number) => Buffer.from(new Uint32Array([bytes]).buffer).reverse();
  const padding = (count: number, byte = count) => Buffer.alloc(count, byte);

  it('is refused for a wrong signature before anything else is looked at', () => {
    const honest = cipher.seal('hello', signed);

    for (const msgSignature of ['', 'x', '0'.repeat(40), honest.MsgSignature.toUpperCase()]) {
      for (const encrypted of [honest.Encrypt, '', '%%%', 'AAAA']) {
        expect(() => cipher.open({ ...signed, encrypted, msgSignature })).toThrow(MessageRefused);
      }
    }
  });

  it.each([
    ['nothing', ''],
    ['no base64', 'not base64!'],
    ['base64 without its padding', 'AAA'],
    ['half a block', Buffer.alloc(8).toString('base64')],
    ['a random block', Buffer.alloc(16, 7).toString('base64')],
    ['padding 0', encrypt(padding(32, 0))],
    ['padding 33', encrypt('r'.repeat(15), padding(33))],
    ['padding only', encrypt(padding(32))],
    ['uneven padding', encrypt('r'.repeat(16), length(0), appid, padding(25, 1), Buffer.from([26]))],
    ['padding of three blocks', encrypt('r'.repeat(16), length(10), 'ten bytes.', appid, padding(48))],
    ['a length beyond the end', encrypt('r'.repeat(16), length(1000), appid, padding(26))],
    ['a length of 4 GB', encrypt('r'.repeat(16), length(0xffffffff), appid, padding(26))],
    ['no appid', encrypt('r'.repeat(16), length(0), padding(12))],
    ['another appid', new MessageCipher('wx0000000000000000', encodingAesKey).seal('hi', signed).Encrypt],
    ['an appid with a tail', new MessageCipher(`${appid}x`, encodingAesKey).seal('hi', signed).Encrypt],
    ['another key', new MessageCipher(appid, 'A'.repeat(43)).seal('hi', signed).Encrypt],
  ])('is refused in one way: %s', (_kind, encrypted) => {
    expect(() => cipher.open(signedWith(encrypted))).toThrow(new MessageRefused());
  });

  it.each([
    ['a sign that is none of base64 before it', (text: string) => `%%%%${text}`],
    ['one behind it', (text: string) => `${text}%%%%`],
    ['one in it', (text: string) => `${text.slice(0, 4)}%%%%${text.slice(4)}`],
    ['no padding', (text: string) => text.replace(/=+$/, '')],
    ['the alphabet of URLs', (text: string) => text.replaceAll('+', '-').replaceAll('/', '_')],
  ])('is refused in base64 that WeChat does not write: %s', (_kind, write) => {
    const encrypted = cipher.seal('+/'.repeat(8), signed, Buffer.from('0123456789abcdef')).Encrypt;

    expect(encrypted).toMatch(/[+/].*=$/);
    expect(cipher.open(signedWith(encrypted)).toString()).toBe('+/'.repeat(8));
    expect(() => cipher.open(signedWith(write(encrypted)))).toThrow(new MessageRefused());
  });

  it('is refused in words that give no reason', () => {
    expect(String(new MessageRefused())).toBe(
      'MessageRefused: the message is not signed, encrypted and addressed as this app expects',
    );
  });

  it('is refused in one way for every changed bit and every cut', () => {
    const box = Buffer.from(cipher.seal('hello 微信', signed).Encrypt, 'base64');
    const refusals = new Set<string>();
    for (let bit = 0; bit < box.length * 8; bit++) {
      const changed = Buffer.from(box);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      refusals.add(outcomeOf(changed));
    }
    for (let bytes = 0; bytes < box.length; bytes++) refusals.add(outcomeOf(box.subarray(0, bytes)));

    // A changed bit of the random prefix or of the text itself is what the signature alone can notice.
    expect([...refusals].filter((text) => !text.startsWith('opened'))).toEqual([
      String(new MessageRefused()),
    ]);
  });

  function outcomeOf(box: Buffer): string {
    try {
      return `opened ${cipher.open(signedWith(box.toString('base64'))).length}`;
    } catch (error) {
      return String(error);
    }
  }

  it('is refused when its signature is another message’s', () => {
    const [one, two] = [cipher.seal('one', signed), cipher.seal('two', signed)];

    expect(() => cipher.open({ ...signed, encrypted: one.Encrypt, msgSignature: two.MsgSignature })).toThrow(
      MessageRefused,
    );
  });
});

describe('an EncodingAESKey', () => {
  it.each(['', 'A'.repeat(42), 'A'.repeat(44), `${'A'.repeat(42)}=`, `${'A'.repeat(42)}-`])(
    'is not %j',
    (text) => {
      expect(isEncodingAesKey(text)).toBe(false);
      expect(() => new MessageCipher('wx1', text)).toThrow('encoding_aes_key');
    },
  );

  it('may carry surplus bits, and is not shown', () => {
    const text = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
    const cipher = new MessageCipher('wx1', text);

    expect(isEncodingAesKey(text)).toBe(true);
    expect(inspect(cipher, { depth: 9, showHidden: true })).not.toMatch(/abcdefgh|69 b7 1d/);
  });
});
