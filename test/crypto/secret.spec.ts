import { inspect } from 'node:util';
import { Secret } from '../../src/crypto/secret.js';

describe('Secret', () => {
  const clear = 'planted-app-secret';
  const secret = new Secret(clear);

  it('gives its value only to reveal()', () => {
    expect(secret.reveal()).toBe(clear);
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
