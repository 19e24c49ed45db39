import { createHmac, hkdfSync } from 'node:crypto';
import { KeyRing, Mac } from '../../src/crypto/key-ring.js';

const oldKey = Buffer.alloc(32, 3);
const newKey = Buffer.alloc(32, 4);

describe('Mac', () => {
  it('is HMAC-SHA256 under the key of its purpose', () => {
    const key = Buffer.from(hkdfSync('sha256', newKey, '', 'nestjs-wechat-iam/mac/refresh', 32));

    const tag = new Mac(new KeyRing([newKey]), 'refresh').sign('session.7');

    expect(tag).toBe(createHmac('sha256', key).update('session.7').digest('base64url'));
  });

  it('verifies tags of every configured key and of no other', () => {
    const tag = new Mac(new KeyRing([oldKey]), 'refresh').sign('m') ?? '';

    expect(new Mac(new KeyRing([newKey, oldKey]), 'refresh').verify('m', tag)).toBe(true);
    expect(new Mac(new KeyRing([newKey]), 'refresh').verify('m', tag)).toBe(false);
    expect(new Mac(new KeyRing([oldKey]), 'other').verify('m', tag)).toBe(false);
  });

  it('signs again under the key that signed before', () => {
    const before = new Mac(new KeyRing([oldKey]), 'refresh');
    const after = new Mac(new KeyRing([newKey, oldKey]), 'refresh');

    expect(after.sign('m', before.keyId)).toBe(before.sign('m'));
    expect(after.sign('m')).not.toBe(before.sign('m'));
    expect(before.sign('m', after.keyId)).toBeNull();
  });

  it.each(['', 'x', 'é'.repeat(43)])('refuses the tag %j without throwing', (tag) => {
    expect(new Mac(new KeyRing([newKey]), 'refresh').verify('m', tag)).toBe(false);
  });
});
