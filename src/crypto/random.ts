import { randomBytes } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Bytes from here on would favour the first letters of the alphabet. */
const fairLimit = 256 - (256 % alphabet.length);

/** Letters and digits for the bytes of a MAC, one for each; that some come more often costs a hundredth of a bit. */
export function alphanumericOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join('');
}

/** Random letters and digits without bias, 5.95 bits each: the only alphabet WeChat's `state` allows. */
export function randomAlphanumeric(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < fairLimit && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
