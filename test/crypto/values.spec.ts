import { constantTimeEqual, sha256, isPkceVerifier, pkceChallenge } from '../../src/crypto/hash.js';
import { randomAlphanumeric } from '../../src/crypto/random.js';

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
