import fc from 'fast-check';
import { Secret } from '../../src/crypto/secret.js';
import { MessageCipher } from '../../src/wechat/message-cipher.js';
import { verifyHandshake, verifyPush, type ServerConfiguration } from '../../src/webhook/verify-push.js';
import {
  cbc,
  decrypt,
  encrypt,
  newAccount,
  plainPush,
  safePush,
  sign,
  toXml,
} from '../support/wechat-push.js';
import { account, codeOf, fields, message, type Query, server, verify } from './push-cases.js';

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

    fc.assert(
      fc.property(bad, (encrypted) => {
        const push = safePush(message, account, { encrypted: encrypted.replaceAll(']]>', '') });
        const code = codeOf(() => verify(push, server('safe')));
        // CBC lets a flipped bit through in the random prefix and, garbling it, in the signed text; only a holder of the Token gets here.
        expect(['webhook_signature_invalid', 'verified']).toContain(code);
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

  it.each([
    ['plain', plainPush('<!DOCTYPE x><x/>', account)],
    ['safe', safePush('hello', account)],
  ] as const)(
    'refuses no signed body in %s mode, and finds nothing in one that is no message',
    (mode, push) => {
      const { fields: found, bytes } = verify(push, server(mode));

      expect({ ...found }).toEqual({});
      expect(Buffer.from(bytes).toString()).toBe(mode === 'plain' ? push.body : 'hello');
    },
  );

  it.each(['plain', 'safe', 'compatible'] as const)(
    'does not look at the body of a query that nobody signed, in %s mode',
    (mode) => {
      let reads = 0;
      const { query, body } = mode === 'plain' ? plainPush(message, account) : safePush(message, account);
      const request = (signature: string) => ({
        query: { ...query, signature },
        get body(): Buffer {
          reads += 1;
          return Buffer.from(body);
        },
      });

      const code = codeOf(() => verifyPush(request('a'.repeat(40)), server(mode), Date.now()));
      const before = reads;
      verifyPush(request(query['signature'] ?? ''), server(mode), Date.now());

      expect([code, before, reads]).toEqual(['webhook_signature_invalid', 0, 1]);
    },
  );

  it('finds the ciphertext that is signed among what a person has typed before it in the clear', () => {
    const typed = `]]></Content><Encrypt><![CDATA[${'A'.repeat(64)}]]></Encrypt><Content><![CDATA["Encrypt":"AAAA"`;
    const clear = `<Content><![CDATA[${typed}]]></Content>`;

    expect(verify(safePush(message, account, { clear }), server('compatible')).fields['Content']).toBe(
      '你好🌏',
    );
  });

  it('reads a ciphertext whose JSON is escaped', () => {
    const { query, body } = safePush(JSON.stringify(fields), account);
    const escaped = body.replaceAll('/', '\\/').replaceAll('+', '\\u002B').replaceAll('=', '\\u003d');

    expect(verify({ query, body: escaped }, server('safe')).fields['Content']).toBe('你好🌏');
  });

  it.each([
    [
      'V8, a control character in a text',
      'bcf6003025e70afb35a67f6ac5e6c3f326a28ceb',
      'Q3stYC6hdFzMh9T8HCvyDLhXrVGtVJLOGCHbvaDClcw2BHzQ87KInr1M4iFc4bOBfMgh5HIQfJJTRh1lN59g17VB5/nWKI4GkPMSwCrqV2benfNP/uzWzNdCAmtCLZUn+eqQmPsXNBOrqmEN3TdAtREzo20hzyBLCLRmpGU9yhdmhxbVJS45Seoae4v3DAGFED6OlqI9T8xZBH7eFZ/WDQsXO9YGmGYKnuIUANu/k90p4N0ZF6gyXJp/2Jih6gnfvgJ1V4fFWb1czA1NW4WglHdIAS2s0AxTK5uKTcuWWjQH1JSkWj41d0iBo72PlKjEZYXfwZRXP1A2ZURcUCEU5A==',
      'a\ufffdb',
    ],
    [
      'V9, a text that names another sender',
      'f304695071aee63d057ae03e8ac228dcd48515e7',
      'Q3stYC6hdFzMh9T8HCvyDAC/orV9v5SHmZsU0W/0f8FFREei+DRW+hBRMjuTyjOAfcHrhzLubl6nCwoJ5G3WjUHUxECWo/yyfAQ24ourE2OU1AmMMl8JBnBmPXN1N8wg7zkhvI9SmWuBMaOB8BEMqHgQ4OnJ4q5zZIz6FzB8x7BMHSPWp4YeTxqotqBM60YXXLHrpYUFZVti8J38jPUIBEv0GwAqPzhCyBtYyJFyLR9aKPCdn8xog7oypN+PjLjeva6f7V7eWjOyxrxguVG+8ICyCPuLDUPsLEhI9orKIiNDoSYaRlTw4Me4gwDf9jqGvu+C5XsyWW0OliKzj9vWrIN0JE7L69w7WMpPyLmIob3BcSpkCj+tONyLYNI7cqt6QdfuW/THaeMk63jz0c393dgu+wky9BNiqRgo48ENPB8uY0sjbEzKa9hNjbXQbt1o8hQDfr+Kx4ptt7jjLSgi7Q==',
      'x]]></Content><FromUserName><![CDATA[oEVIL]]></FromUserName><Content><![CDATA[y',
    ],
  ])('reads vector %s', (_vector, msgSignature, encrypted, content) => {
    const known = {
      appid: 'wx2c2769f8efd9abc2',
      token: 'spamtest',
      encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
    };
    const configuration: ServerConfiguration = {
      mode: 'safe',
      appids: [known.appid],
      tokens: [new Secret(known.token)],
      encodingAesKeys: [new Secret(known.encodingAesKey)],
    };
    const query = {
      signature: '16120ec1b8dbb870f510d87ce6bc2463eae6ca1a',
      timestamp: '1409735669',
      nonce: '1320562132',
      encrypt_type: 'aes',
      msg_signature: msgSignature,
    };

    const { fields: read } = verify(
      {
        query,
        body: `<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[${encrypted}]]></Encrypt></xml>`,
      },
      configuration,
      1409735669_000,
    );

    expect({ ...read }).toMatchObject({ FromUserName: 'oA', Content: content });
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
