import { createCipheriv, createHash } from 'node:crypto';

/** What a mini program's client hands to its server next to the js_code (protocol D.4). */
export interface EncryptedData {
  readonly rawData: string;
  readonly signature: string;
  readonly encryptedData: string;
  readonly iv: string;
}

/** AES-128-CBC under the session key with ordinary padding; all in base64. */
export function encryptData(plain: string, sessionKey: string, iv: string): string {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'));
  return Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]).toString('base64');
}

/** Proof that raw data came through the client that holds the session key. */
export function signRawData(rawData: string, sessionKey: string): string {
  return createHash('sha1')
    .update(rawData + sessionKey)
    .digest('hex');
}
