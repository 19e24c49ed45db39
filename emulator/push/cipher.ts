import { createCipheriv, createDecipheriv } from 'node:crypto';

/** What an encrypted message holds. */
interface Envelope {
  readonly message: string;
  /** The appid at the end: whose message it is. */
  readonly appid: string;
  /** Sixteen random bytes at the start. */
  readonly random: Buffer;
}

const block = 32;
const headLength = 20;

/** Encrypts with AES-256-CBC under the console's 43-character key, padded to blocks of 32 (protocol F.3). */
export function seal({ message, appid, random }: Envelope, encodingAesKey: string): string {
  const text = Buffer.from(message, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  const full = Buffer.concat([random, length, text, Buffer.from(appid, 'utf8')]);
  const pad = block - (full.length % block);
  const key = aesKey(encodingAesKey);
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([full, Buffer.alloc(pad, pad)]);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

/** Decrypts what `seal` made; throws when it is something else. */
export function unseal(encrypted: string, encodingAesKey: string): Envelope {
  const key = aesKey(encodingAesKey);
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(Buffer.from(encrypted, 'base64')), decipher.final()]);
  const pad = padded.at(-1) ?? 0;
  if (pad < 1 || pad > block || padded.length < headLength + pad) throw new Error('bad padding');
  const full = padded.subarray(0, padded.length - pad);
  const end = headLength + full.readUInt32BE(16);
  if (end > full.length) throw new Error('bad length');
  return {
    random: full.subarray(0, 16),
    message: full.subarray(headLength, end).toString('utf8'),
    appid: full.subarray(end).toString('utf8'),
  };
}

function aesKey(encodingAesKey: string): Buffer {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  if (encodingAesKey.length !== 43 || key.length !== 32)
    throw new TypeError('EncodingAESKey has 43 characters');
  return key;
}
