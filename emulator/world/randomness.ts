import { randomBytes } from 'node:crypto';

/** Where everything unpredictable in the world comes from; tests may put a fixed source in its place. */
export interface Randomness {
  bytes(count: number): Buffer;
}

/** The operating system's randomness. */
export const systemRandomness: Randomness = { bytes: (count) => randomBytes(count) };

const alphanumeric = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A string of `[0-9A-Za-z]`, the alphabet of WeChat's codes and uuids. */
export function randomText(randomness: Randomness, length: number): string {
  return Array.from(randomness.bytes(length), (byte) => alphanumeric.charAt(byte % alphanumeric.length)).join(
    '',
  );
}

/** A token with WeChat's counter-like prefix and the `-` and `_` that real ones contain. */
export function randomToken(randomness: Randomness): string {
  return `88_${randomness.bytes(96).toString('base64url')}`;
}
