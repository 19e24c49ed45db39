import { createDecipheriv, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Secret } from '../crypto/secret.js';
import { IamError } from '../errors/iam.error.js';

/** What a mini program's client encrypted for its server. */
export interface EncryptedData {
  readonly encryptedData: string;
  readonly iv: string;
}

const BLOCK = 16;
/** Text of WeChat's is far shorter; a mini program sends it through a request of the host. */
const MAX_LENGTH = 64 * 1024;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

const decrypted = z.looseObject({ watermark: z.looseObject({ appid: z.string(), timestamp: z.number() }) });

/** Hex HMAC-SHA256 of a text; the key is the session key as WeChat writes it, not its bytes (protocol part 2, C.2). */
export function signWithSession(sessionKey: Secret, text: string): string {
  return createHmac('sha256', sessionKey.reveal()).update(text, 'utf8').digest('hex');
}

/**
 * Opens what the client of this mini program encrypted under this key (protocol D.4). AES-CBC has no MAC: JSON with the watermark
 * of the app is the only sign that the key was right.
 * @throws IamError `invalid_request` for what is no such data or another app's; `session_key_stale` where the key does not open it
 */
export function openEncryptedData(
  { encryptedData, iv }: EncryptedData,
  sessionKey: Secret,
  appid: string,
): z.infer<typeof decrypted> {
  const key = Buffer.from(sessionKey.reveal(), 'base64');
  const vector = bytesOf('iv', iv);
  const cipherText = bytesOf('encryptedData', encryptedData);
  if (vector.length !== BLOCK) throw new IamError('invalid_request', 'iv: expected 16 bytes');
  if (cipherText.length % BLOCK !== 0)
    throw new IamError('invalid_request', 'encryptedData: expected whole blocks of 16 bytes');
  const data = key.length === BLOCK ? decrypt(cipherText, key, vector) : undefined;
  if (data === undefined)
    throw new IamError('session_key_stale', 'the session key that is kept does not open encryptedData');
  if (data.watermark.appid !== appid)
    throw new IamError('invalid_request', 'encryptedData: expected data of this mini program');
  return data;
}

function bytesOf(field: string, text: string): Buffer {
  if (text.length <= MAX_LENGTH && base64.test(text) && text.length % 4 === 0)
    return Buffer.from(text, 'base64');
  throw new IamError('invalid_request', `${field}: expected base64`);
}

function decrypt(cipherText: Buffer, key: Buffer, iv: Buffer): z.infer<typeof decrypted> | undefined {
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  try {
    const clear = Buffer.concat([decipher.update(cipherText), decipher.final()]);
    return decrypted.safeParse(JSON.parse(clear.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
