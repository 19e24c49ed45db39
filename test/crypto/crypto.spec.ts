import { resolveOptions, resolveStatics } from '../../src/config/iam.resolved-options.js';
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { constantTimeEqual, isPkceVerifier, pkceChallenge, sha256 } from '../../src/crypto/hash.js';
import { deriveKey, KeyRing, Mac } from '../../src/crypto/key-ring.js';
import { alphanumericOf, randomAlphanumeric } from '../../src/crypto/random.js';
import { isSealed, sealedWith, Sealer, SealError } from '../../src/crypto/sealer.js';
import { Secret } from '../../src/crypto/secret.js';

const oldKey = Buffer.alloc(32, 1);

const newKey = Buffer.alloc(32, 2);

const context = 'identity_providers/wechat/open_app_secret';

const sealerOf = (...keys: Buffer[]) => new Sealer(new KeyRing(keys), 'provider-secrets');

function reasonOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof SealError) return error.reason;
    throw error;
  }
  return 'opened';
}

describe('Sealer', () => {
  it('opens what it sealed, whatever the text', () => {
    const sealer = sealerOf(newKey);

    for (const clear of ['', 'secret', '微信🌏', 'x'.repeat(100_000)]) {
      expect(sealer.open(sealer.seal(clear, context), context)).toBe(clear);
    }
  });

  it('writes AES-256-GCM with the nonce first and the tag last, under an HKDF key', () => {
    const sealed = sealerOf(newKey).seal('hello', context);

    const keyId = createHash('sha256').update(newKey).digest('hex').slice(0, 8);
    const box = Buffer.from(sealed.slice(`sealed:v1:${keyId}:`.length), 'base64url');
    const key = hkdfSync('sha256', newKey, '', 'nestjs-wechat-iam/seal/provider-secrets', 32);
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key), box.subarray(0, 12))
      .setAAD(Buffer.from(`sealed:v1:${keyId}:${context}`))
      .setAuthTag(box.subarray(-16));
    expect(sealed.startsWith(`sealed:v1:${keyId}:`)).toBe(true);
    expect(decipher.update(box.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')).toBe('hello');
  });

  it('never writes the same text twice', () => {
    const sealer = sealerOf(newKey);
    const texts = Array.from({ length: 1000 }, () => sealer.seal('same', context));

    expect(new Set(texts).size).toBe(1000);
  });

  it('opens with an earlier key and asks to seal again', () => {
    const sealed = sealerOf(oldKey).seal('kept', context);
    const rotated = sealerOf(newKey, oldKey);

    expect(rotated.open(sealed, context)).toBe('kept');
    expect(rotated.needsReencryption(sealed, context)).toBe(true);
    expect(rotated.needsReencryption(rotated.seal('kept', context), context)).toBe(false);
  });

  it('refuses a text of a key that is gone, naming the key', () => {
    const sealed = sealerOf(oldKey).seal('lost', context);

    expect(reasonOf(() => sealerOf(newKey).open(sealed, context))).toBe('unknown_key');
    expect(sealedWith(sealed)).toBe(createHash('sha256').update(oldKey).digest('hex').slice(0, 8));
  });

  it('refuses a text moved to another row or column', () => {
    const sealer = sealerOf(newKey);
    const sealed = sealer.seal('a', context);

    expect(reasonOf(() => sealer.open(sealed, 'identity_providers/other/open_app_secret'))).toBe(
      'not_authentic',
    );
  });

  it('refuses a text sealed for another purpose', () => {
    const ring = new KeyRing([newKey]);
    const sealed = new Sealer(ring, 'cookie').seal('a', context);

    expect(reasonOf(() => new Sealer(ring, 'provider-secrets').open(sealed, context))).toBe('not_authentic');
  });

  it('refuses every single flipped bit and every truncation', () => {
    const sealer = sealerOf(newKey);
    const sealed = sealer.seal('abc', context);
    const start = 'sealed:v1:00000000:'.length;
    const box = Buffer.from(sealed.slice(start), 'base64url');

    for (let bit = 0; bit < box.length * 8; bit++) {
      const forged = Buffer.from(box);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const text = sealed.slice(0, start) + forged.toString('base64url');
      expect(reasonOf(() => sealer.open(text, context))).toBe('not_authentic');
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(reasonOf(() => sealer.open(sealed.slice(0, length), context))).not.toBe('opened');
    }
  });

  it('asks for no text to be sealed again that it cannot open', () => {
    const rotated = sealerOf(newKey, oldKey);

    expect(rotated.needsReencryption(sealerOf(Buffer.alloc(32, 9)).seal('a', context), context)).toBe(false);
    expect(rotated.needsReencryption(sealerOf(oldKey).seal('a', 'elsewhere'), context)).toBe(false);
    expect(rotated.needsReencryption('plain', context)).toBe(false);
  });

  it.each([
    ['before it', (sealed: string) => ` ${sealed}`],
    ['behind it', (sealed: string) => `${sealed}!`],
  ])('does not take a sealed text with something %s for one', (_where, change) => {
    const text = change(sealerOf(newKey).seal('a', context));

    expect(isSealed(text)).toBe(false);
    expect(reasonOf(() => sealerOf(newKey).open(text, context))).toBe('malformed');
  });

  it.each(['', 'plain:secret', 'sealed:v2:00000000:AAAA', 'sealed:v1:zzzzzzzz:AAAA', 'sealed:v1:00000000:'])(
    'does not take %j for a sealed text',
    (text) => {
      expect(isSealed(text)).toBe(false);
      expect(reasonOf(() => sealerOf(newKey).open(text, context))).toBe('malformed');
    },
  );
});

describe('SealError', () => {
  const sealed = sealerOf(oldKey).seal('secret', context);
  const id = sealedWith(sealed);

  it.each([
    [
      'is no sealed text',
      sealerOf(oldKey),
      'secret',
      context,
      'malformed',
      'it is no sealed text: write the secret again',
    ],
    [
      'is of a key that is gone',
      sealerOf(newKey),
      sealed,
      context,
      'unknown_key',
      `it was sealed with key ${id}, which is not among \`keys\`: put that key behind the first one, or write the secret again`,
    ],
    [
      'is of another row',
      sealerOf(oldKey),
      sealed,
      'elsewhere',
      'not_authentic',
      `it was changed, or copied from another row, since key ${id} sealed it: write the secret again`,
    ],
  ])('says how to mend what %s', (_what, sealer, text, place, reason, remedy) => {
    const open = () => {
      try {
        return sealer.open(text, place);
      } catch (error) {
        return error;
      }
    };

    expect(open()).toMatchObject({
      name: 'SealError',
      reason,
      keyId: reason === 'malformed' ? null : id,
      message: `sealed text does not open (${reason}): ${remedy}`,
    });
  });
});

describe('KeyRing', () => {
  const clients = [{ id: 'web', redirectUris: ['https://app.example.com/'] }];
  const ringOf = (keys: string[]): KeyRing =>
    resolveOptions({ publicUrl: 'https://app.example.com', keys, clients }, resolveStatics({})).keyRing;

  it('reads keys in base64 and in base64url', () => {
    const key = Buffer.alloc(32, 251);
    const texts = [key.toString('base64'), key.toString('base64url')];

    const ids = texts.map((text) => ringOf([text]).ids);

    expect(ids[0]).toEqual(ids[1]);
  });

  it.each([[[]], [['short']], [[Buffer.alloc(31).toString('base64')]], [[`${'A'.repeat(42)}!=`]]])(
    'refuses %j and names the option',
    (keys) => {
      expect(() => ringOf(keys)).toThrow(/`keys/);
    },
  );

  it('names its keys, the one that seals first', () => {
    const idOf = (key: Buffer) => createHash('sha256').update(key).digest('hex').slice(0, 8);
    const ring = new KeyRing([newKey, oldKey]);

    expect(ring.ids).toEqual([idOf(newKey), idOf(oldKey)]);
    expect(ring.currentId).toBe(idOf(newKey));
  });

  it('takes no key of another length', () => {
    expect(() => new KeyRing([newKey, Buffer.alloc(31)])).toThrow(
      new TypeError('keys[1]: expected 32 bytes'),
    );
    expect(() => new KeyRing([])).toThrow(new TypeError('keys: at least one key is required'));
  });

  it('derives another key for another purpose or master key', () => {
    const keys = [deriveKey(newKey, 'a'), deriveKey(newKey, 'b'), deriveKey(oldKey, 'a'), newKey];

    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(4);
  });
});

describe('Mac', () => {
  const oldKey = Buffer.alloc(32, 3);

  const newKey = Buffer.alloc(32, 4);

  it('is HMAC-SHA256 under the key of its purpose', () => {
    const key = Buffer.from(hkdfSync('sha256', newKey, '', 'nestjs-wechat-iam/mac/refresh', 32));

    const tag = new Mac(new KeyRing([newKey]), 'refresh').sign('session.7');

    expect(tag).toBe(createHmac('sha256', key).update('session.7').digest('base64url'));
  });

  it('verifies tags of every configured key and of no other', () => {
    const tag = new Mac(new KeyRing([oldKey]), 'refresh').sign('m');

    expect(new Mac(new KeyRing([newKey, oldKey]), 'refresh').verify('m', tag)).toBe(true);
    expect(new Mac(new KeyRing([newKey]), 'refresh').verify('m', tag)).toBe(false);
    expect(new Mac(new KeyRing([oldKey]), 'other').verify('m', tag)).toBe(false);
  });

  it('signs again under the key that signed before', () => {
    const before = new Mac(new KeyRing([oldKey]), 'refresh');
    const after = new Mac(new KeyRing([newKey, oldKey]), 'refresh');

    expect(after.signWith(before.keyId, 'm')).toBe(before.sign('m'));
    expect(after.sign('m')).not.toBe(before.sign('m'));
    expect(before.signWith(after.keyId, 'm')).toBeNull();
    expect(after.tags('m')).toEqual([after.sign('m'), before.sign('m')]);
  });

  it.each(['', 'x', 'é'.repeat(43)])('refuses the tag %j without throwing', (tag) => {
    expect(new Mac(new KeyRing([newKey]), 'refresh').verify('m', tag)).toBe(false);
  });
});

describe('Secret', () => {
  const clear = 'planted-app-secret';
  const secret = new Secret(clear);

  it('gives its value only to reveal()', () => {
    expect(secret.reveal()).toBe(clear);
  });

  it('says that there is one', () => {
    expect([String(secret), JSON.stringify({ secret }), inspect({ secret })]).toEqual([
      '[secret]',
      '{"secret":"[secret]"}',
      '{ secret: [secret] }',
    ]);
  });

  it.each([
    ['String()', () => String(secret)],
    ['a template', () => `secret: ${secret.toString()}`],
    ['JSON', () => JSON.stringify({ app: { secret } })],
    ['inspect', () => inspect({ app: { secret } }, { depth: 9, showHidden: true })],
    ['own properties', () => JSON.stringify(Object.getOwnPropertyDescriptors(secret))],
    ['an error', () => inspect(new Error('x', { cause: { secret } }), { depth: 9 })],
  ])('does not show it through %s', (_way, show) => {
    expect(show()).not.toContain(clear);
  });
});

describe('constantTimeEqual', () => {
  it.each([
    ['', '', true],
    ['abc', 'abc', true],
    ['abc', 'abd', false],
    ['abc', 'abcd', false],
    ['', 'a', false],
    ['\ud800', '\ufffd', false],
  ])('compares %j with %j', (left, right, expected) => {
    expect(constantTimeEqual(left, right)).toBe(expected);
  });
});

describe('pkceChallenge', () => {
  it('gives the challenge of RFC 7636 appendix B', () => {
    expect(pkceChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });

  it.each([
    ['x'.repeat(42), false],
    ['x'.repeat(43), true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    [`${'x'.repeat(43)}\n`, false],
    [`${'x'.repeat(43)}+`, false],
  ])('judges the verifier %j', (verifier, expected) => {
    expect(isPkceVerifier(verifier)).toBe(expected);
  });
});

describe('sha256', () => {
  it('is the hash of the empty string of FIPS 180-4', () => {
    expect(Buffer.from(sha256(''), 'base64url').toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });
});

describe('alphanumericOf', () => {
  it('gives one letter or digit for each byte', () => {
    expect(alphanumericOf(Uint8Array.of(0, 25, 26, 51, 52, 61, 62, 255))).toBe('AZaz09AH');
  });
});

describe('random values', () => {
  it('use letters and digits alike', () => {
    const counts = new Map<string, number>();
    for (const letter of randomAlphanumeric(62_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1);

    expect(counts.size).toBe(62);
    expect(Math.min(...counts.values())).toBeGreaterThan(800);
    expect(Math.max(...counts.values())).toBeLessThan(1200);
  });

  it('have exactly the asked length and do not repeat', () => {
    const values = Array.from({ length: 5000 }, () => randomAlphanumeric(32));

    expect(new Set(values).size).toBe(5000);
    expect(values.every((value) => /^[A-Za-z0-9]{32}$/.test(value))).toBe(true);
  });
});
