import { createCipheriv, randomBytes } from 'node:crypto';
import { sign } from '../../emulator/push/signature.js';

export type Mode = 'safe' | 'compatible' | 'plain';

/** A row's webhook, and what its account signs and encrypts with. */
export interface Target {
  readonly mode: Mode;
  readonly appid: string;
  readonly token: string;
  readonly encodingAesKey: string;
  readonly url: string;
}

/** A message of any bytes as WeChat would push it. */
export function signedPush(target: Target, message: Buffer): { readonly url: string; readonly body: Buffer } {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = randomBytes(8).readBigUInt64BE().toString();
  const query = new URLSearchParams({ signature: sign(target.token, timestamp, nonce), timestamp, nonce });
  if (target.mode === 'plain') return { url: `${target.url}?${query.toString()}`, body: message };
  const encrypted = encrypt(target, message);
  query.set('encrypt_type', 'aes');
  query.set('msg_signature', sign(target.token, timestamp, nonce, encrypted));
  return { url: `${target.url}?${query.toString()}`, body: envelope(target.mode, message, encrypted) };
}

/** In compatible mode the message stands in the clear before its ciphertext, broken as it is. */
function envelope(mode: Mode, message: Buffer, encrypted: string): Buffer {
  if (message.toString('latin1').startsWith('{'))
    return Buffer.from(
      JSON.stringify({ ...(mode === 'compatible' && { Content: message.toString() }), Encrypt: encrypted }),
    );
  const clear = mode === 'compatible' ? message : Buffer.alloc(0);
  return Buffer.concat([
    Buffer.from('<xml>'),
    clear,
    Buffer.from(`<Encrypt><![CDATA[${encrypted}]]></Encrypt></xml>`),
  ]);
}

function encrypt({ appid, encodingAesKey }: Target, message: Buffer): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const full = Buffer.concat([randomBytes(16), length, message, Buffer.from(appid)]);
  const pad = 32 - (full.length % 32);
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([
    cipher.update(Buffer.concat([full, Buffer.alloc(pad, pad)])),
    cipher.final(),
  ]).toString('base64');
}
