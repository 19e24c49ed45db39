import { jest } from '@jest/globals';
import fc from 'fast-check';
import { Secret } from '../../../src/crypto/secret.js';
import { IamError } from '../../../src/iam.error.js';
import { MessageCipher } from '../../../src/wechat/message-cipher.js';
import { verifyHandshake, verifyPush, type ServerConfiguration } from '../../../src/webhook/verify-push.js';
import {
  cbc,
  decrypt,
  encrypt,
  newAccount,
  plainPush,
  safePush,
  sign,
  toXml,
} from '../../support/wechat-push.js';

const account = newAccount();
const fields = { ToUserName: 'gh_x', FromUserName: 'oX', CreateTime: 1, MsgType: 'text', Content: '你好🌏' };
const message = toXml(fields);

function server(
  mode: ServerConfiguration['mode'],
  changes: { appids?: [string, ...string[]]; tokens?: string[]; keys?: string[] } = {},
): ServerConfiguration {
  const { appids = [account.appid], tokens = [account.token], keys = [account.encodingAesKey] } = changes;
  const secrets = (texts: string[]) => texts.map((text) => new Secret(text));
  return { mode, appids, tokens: secrets(tokens), encodingAesKeys: secrets(keys) };
}

type Query = Record<string, string | string[] | undefined>;
const verify = (
  push: { query: Query; body: string | Buffer },
  configuration: ServerConfiguration,
  now = Date.now(),
) => verifyPush({ query: push.query, body: Buffer.from(push.body) }, configuration, now);

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'verified';
  } catch (error) {
    return error instanceof IamError ? error.code : String(error);
  }
}

describe('verifyPush', () => {
  it('opens what WeChat sent in each mode', () => {
    const plain = verify(plainPush(message, account), server('plain'));
    const safe = verify(safePush(message, account), server('safe'));
    const compatible = verify(
      safePush(message, account, { clear: '<Content>clear</Content>' }),
      server('compatible'),
    );

    expect(plain.fields['Content']).toBe('你好🌏');
    expect(safe.fields['Content']).toBe('你好🌏');
    expect(compatible.fields['Content']).toBe('你好🌏');
  });

  it('opens the official example of safe mode in JSON (vector V1)', () => {
    const official = { appid: 'wxba5fad812f8e6fb9', token: 'AAAAA', encodingAesKey: 'A'.repeat(43) };
    const push = {
      query: {
        signature: '6c5c811b55cc85e0e1b54100749188c20beb3f5d',
        timestamp: '1714112445',
        nonce: '415670741',
        openid: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
        encrypt_type: 'aes',
        msg_signature: '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3',
      },
      body: '{"ToUserName":"gh_97417a04a28d","Encrypt":"+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="}',
    };
    const configuration: ServerConfiguration = {
      mode: 'safe',
      appids: [official.appid],
      tokens: [new Secret(official.token)],
      encodingAesKeys: [new Secret(official.encodingAesKey)],
    };

    const { fields: opened } = verify(push, configuration, 1714112445_000);

    expect({ ...opened }).toMatchObject({ Event: 'debug_demo', debug_str: 'hello world' });
  });

  it('lets the row decide the mode, never the request', () => {
    expect(codeOf(() => verify(plainPush(message, account), server('safe')))).toBe(
      'webhook_signature_invalid',
    );
    expect(codeOf(() => verify(plainPush(message, account), server('compatible')))).toBe(
      'webhook_signature_invalid',
    );
    expect(codeOf(() => verify(safePush(message, account), server('plain')))).toBe(
      'webhook_signature_invalid',
    );
  });

  it('refuses a clear body that borrows the query of an encrypted one', () => {
    const { query } = safePush(message, account);

    expect(codeOf(() => verify({ query, body: message }, server('safe')))).toBe('webhook_signature_invalid');
  });

  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['given twice', ['a', 'a']],
    ['39 digits', 'a'.repeat(39)],
    ['41 digits', 'a'.repeat(41)],
    ['of another message', 'a'.repeat(40)],
  ])('refuses a signature that is %s', (_what, signature) => {
    const plain = plainPush(message, account);
    const safe = safePush(message, account);
    const { signature: genuine = '' } = plain.query;

    expect(codeOf(() => verify({ ...plain, query: { ...plain.query, signature } }, server('plain')))).toBe(
      'webhook_signature_invalid',
    );
    expect(
      codeOf(() => verify({ ...safe, query: { ...safe.query, msg_signature: signature } }, server('safe'))),
    ).toBe('webhook_signature_invalid');
    expect(
      codeOf(() =>
        verify({ ...plain, query: { ...plain.query, signature: genuine.toUpperCase() } }, server('plain')),
      ),
    ).toBe(/[a-f]/.test(genuine) ? 'webhook_signature_invalid' : 'verified');
  });

  it.each([
    ['six minutes old', -360],
    ['six minutes ahead', 360],
    ['of 1970', -Math.floor(Date.now() / 1000) + 1_000_000_001],
  ])('refuses a timestamp %s, however well signed', (_what, seconds) => {
    const timestamp = Math.floor(Date.now() / 1000) + seconds;

    expect(codeOf(() => verify(plainPush(message, account, { timestamp }), server('plain')))).toBe(
      'webhook_signature_invalid',
    );
    expect(codeOf(() => verify(safePush(message, account, { timestamp }), server('safe')))).toBe(
      'webhook_signature_invalid',
    );
  });

  it('accepts clocks that differ by four minutes', () => {
    for (const difference of [-240, 240]) {
      const timestamp = Math.floor(Date.now() / 1000) + difference;

      expect(codeOf(() => verify(safePush(message, account, { timestamp }), server('safe')))).toBe(
        'verified',
      );
    }
  });

  it('calls pushes that share a signature alike, so that a second body under it is found', () => {
    const push = plainPush(message, account);

    const first = verify(push, server('plain'));
    const second = verify({ ...push, body: toXml({ ...fields, Content: 'forged' }) }, server('plain'));
    const other = verify(plainPush(message, account), server('plain'));

    expect(first.replayKey).not.toBeNull();
    expect(second.replayKey).toBe(first.replayKey);
    expect(other.replayKey).not.toBe(first.replayKey);
    expect(verify(safePush(message, account), server('safe')).replayKey).toBeNull();
  });

  it('accepts the previous Token and the previous EncodingAESKey, in any combination', () => {
    const old = newAccount();
    const both = server('safe', {
      tokens: [account.token, old.token],
      keys: [account.encodingAesKey, old.encodingAesKey],
    });

    for (const token of [account.token, old.token])
      for (const encodingAesKey of [account.encodingAesKey, old.encodingAesKey])
        expect(codeOf(() => verify(safePush(message, { ...account, token, encodingAesKey }), both))).toBe(
          'verified',
        );
    expect(codeOf(() => verify(safePush(message, { ...account, token: newAccount().token }), both))).toBe(
      'webhook_signature_invalid',
    );
  });

  it('encrypts the reply with the key that opened the message and signs it with the Token that signed it', () => {
    const old = newAccount();
    const both = server('safe', {
      tokens: [old.token, account.token],
      keys: [old.encodingAesKey, account.encodingAesKey],
    });

    const reply = verify(safePush(message, account, { nonce: 'n1' }), both).seal?.(
      'answer',
      1_700_000_000_000,
    );

    expect(reply).toBeDefined();
    expect(decrypt(reply?.Encrypt ?? '', account.encodingAesKey)).toEqual({
      message: 'answer',
      appid: account.appid,
    });
    expect(reply).toMatchObject({ TimeStamp: '1700000000', Nonce: 'n1' });
    expect(reply?.MsgSignature).toBe(sign(account.token, '1700000000', 'n1', reply?.Encrypt ?? ''));
  });

  it('refuses a message for an app that is not of the row, and names the app of one that is', () => {
    const mini = { ...account, appid: 'wxmini' };

    expect(codeOf(() => verify(safePush(message, mini), server('safe')))).toBe('webhook_signature_invalid');
    expect(verify(safePush(message, mini), server('safe', { appids: [account.appid, 'wxmini'] })).appid).toBe(
      'wxmini',
    );
  });

  it('does not decrypt before the signature is verified', () => {
    const opened = jest.spyOn(MessageCipher.prototype, 'open');
    const push = safePush(message, account, {
      encrypted: cbc(Buffer.alloc(64, 255), account.encodingAesKey),
    });

    const code = codeOf(() =>
      verify({ ...push, query: { ...push.query, msg_signature: 'a'.repeat(40) } }, server('safe')),
    );

    expect(code).toBe('webhook_signature_invalid');
    expect(opened).not.toHaveBeenCalled();
    opened.mockRestore();
  });

  it('answers every kind of bad ciphertext alike', () => {
    const genuine = Buffer.from(encrypt(message, account), 'base64');
    const bad = fc.oneof(
      fc.tuple(fc.nat(genuine.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
        const changed = Buffer.from(genuine);
        changed.writeUInt8((changed[at] ?? 0) ^ bits, at);
        return changed.toString('base64');
      }),
      fc.nat(genuine.length - 1).map((length) => genuine.subarray(0, length).toString('base64')),
      fc
        .uint8Array({ minLength: 16, maxLength: 160 })
        .map((bytes) =>
          cbc(Buffer.from(bytes).subarray(0, bytes.length - (bytes.length % 16)), account.encodingAesKey),
        ),
      fc.string(),
    );
    const sameMessage = (code: string) => code === 'webhook_message_invalid' || code === 'verified';

    fc.assert(
      fc.property(bad, (encrypted) => {
        const push = safePush(message, account, { encrypted: encrypted.replaceAll(']]>', '') });
        const code = codeOf(() => verify(push, server('safe')));
        // CBC lets a flipped bit through in the random prefix and, garbling it, in the signed text; only a holder of the Token gets here.
        expect(code === 'webhook_signature_invalid' || sameMessage(code)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it('verifies no query but the genuine one', () => {
    const push = safePush(message, account);
    const names = fc.constantFrom('timestamp', 'nonce', 'encrypt_type', 'msg_signature');
    const value = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string()));

    fc.assert(
      fc.property(names, value, (name, changed) => {
        fc.pre(changed !== push.query[name]);
        expect(
          codeOf(() => verify({ ...push, query: { ...push.query, [name]: changed } }, server('safe'))),
        ).toBe('webhook_signature_invalid');
      }),
      { numRuns: 10_000 },
    );
  });

  it('blames the row when its EncodingAESKey is none', () => {
    expect(codeOf(() => verify(safePush(message, account), server('safe', { keys: ['short'] })))).toBe(
      'provider_misconfigured',
    );
  });

  it('refuses a signed body that is no message', () => {
    expect(codeOf(() => verify(plainPush('<!DOCTYPE x><x/>', account), server('plain')))).toBe(
      'webhook_message_invalid',
    );
    expect(codeOf(() => verify(safePush('hello', account), server('safe')))).toBe('webhook_message_invalid');
  });
});

describe('verifyHandshake', () => {
  const question = (changes: Query = {}): Query => ({
    ...plainPush('', account).query,
    echostr: '4375120948345356249',
    ...changes,
  });

  it('gives the text to echo, whatever it is', () => {
    expect(verifyHandshake(question(), server('safe'), Date.now())).toBe('4375120948345356249');
    expect(verifyHandshake(question({ echostr: '<script>' }), server('safe'), Date.now())).toBe('<script>');
  });

  it('verifies the documented question (vectors V1 and V7)', () => {
    const v1 = { timestamp: '1714036504', nonce: '1514711492', echostr: '4375120948345356249' };
    const v7 = { timestamp: '1500000000', nonce: 'nonce123', echostr: 'e' };

    expect(
      verifyHandshake(
        { ...v1, signature: 'f464b24fc39322e44b38aa78f5edd27bd1441696' },
        server('safe', { tokens: ['AAAAA'] }),
        1714036504_000,
      ),
    ).toBe(v1.echostr);
    expect(
      verifyHandshake(
        { ...v7, signature: '3435472f35c629634a18a8c5a94eba3be9eb8dff' },
        server('plain', { tokens: ['weixin'] }),
        1500000000_000,
      ),
    ).toBe('e');
  });

  it.each([
    ['no signature', { signature: undefined }],
    ['a wrong signature', { signature: 'a'.repeat(40) }],
    ['an old timestamp', plainPush('', account, { timestamp: 1_000_000_000 }).query],
    ['no echostr', { echostr: undefined }],
    ['two echostr', { echostr: ['a', 'b'] }],
    ['an echostr over 1 KiB', { echostr: 'a'.repeat(1025) }],
  ])('refuses %s', (_what, changes) => {
    expect(codeOf(() => verifyHandshake(question(changes), server('safe'), Date.now()))).toBe(
      'webhook_signature_invalid',
    );
  });
});
