import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** WeChat's side of the wire, written from its documents (protocol F.2, F.3) and from nothing in `src/`. */
export interface PushAccount {
  readonly appid: string;
  readonly token: string;
  readonly encodingAesKey: string;
}

/** A push ready to be posted. */
export interface PushToSend {
  readonly query: Record<string, string>;
  readonly body: string;
}

/** SHA-1 over the parts sorted as bytes. */
export function sign(...parts: readonly string[]): string {
  const sorted = parts.map((part) => Buffer.from(part)).sort((one, other) => Buffer.compare(one, other));
  return createHash('sha1').update(Buffer.concat(sorted)).digest('hex');
}

/** AES-256-CBC over 16 random bytes, the length, the message and the appid, padded to 32. */
export function encrypt(message: string | Buffer, { appid, encodingAesKey }: PushAccount): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(message));
  const full = Buffer.concat([randomBytes(16), length, Buffer.from(message), Buffer.from(appid)]);
  const pad = 32 - (full.length % 32);
  return cbc(Buffer.concat([full, Buffer.alloc(pad, pad)]), encodingAesKey);
}

/** The bare cipher, for what WeChat would never encrypt. */
export function cbc(padded: Buffer, encodingAesKey: string): string {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

/** Undoes `encrypt`. */
export function decrypt(encrypted: string, encodingAesKey: string): { message: string; appid: string } {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(Buffer.from(encrypted, 'base64')), decipher.final()]);
  const full = padded.subarray(0, padded.length - (padded.at(-1) ?? 0));
  const end = 20 + full.readUInt32BE(16);
  return { message: full.subarray(20, end).toString(), appid: full.subarray(end).toString() };
}

/** Fields as WeChat's XML: text in CDATA, numbers bare. */
export function toXml(fields: Readonly<Record<string, string | number>>): string {
  const elements = Object.entries(fields).map(([name, value]) =>
    typeof value === 'number'
      ? `<${name}>${value}</${name}>`
      : `<${name}><![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`,
  );
  return `<xml>${elements.join('')}</xml>`;
}

const seconds = () => Math.floor(Date.now() / 1000);
const randomNonce = () => String(randomBytes(4).readUInt32BE());

/** What may differ from a push of this moment. */
export interface PushChanges {
  readonly timestamp?: number;
  readonly nonce?: string;
}

/** A push in plain mode. */
export function plainPush(message: string, account: PushAccount, changes: PushChanges = {}): PushToSend {
  const timestamp = String(changes.timestamp ?? seconds());
  const nonce = changes.nonce ?? randomNonce();
  return {
    query: { signature: sign(account.token, timestamp, nonce), timestamp, nonce, openid: 'oX' },
    body: message,
  };
}

/** A push in safe mode; `clear` is what compatible mode says besides. */
export function safePush(
  message: string | Buffer,
  account: PushAccount,
  changes: PushChanges & { readonly clear?: string; readonly encrypted?: string } = {},
): PushToSend {
  const plain = plainPush('', account, changes);
  const { timestamp = '', nonce = '' } = plain.query;
  const encrypted = changes.encrypted ?? encrypt(message, account);
  const body = message.toString().startsWith('{')
    ? JSON.stringify({ ToUserName: 'gh_x', Encrypt: encrypted })
    : `<xml>${changes.clear ?? ''}<ToUserName><![CDATA[gh_x]]></ToUserName><Encrypt><![CDATA[${encrypted}]]></Encrypt></xml>`;
  const query = {
    ...plain.query,
    encrypt_type: 'aes',
    msg_signature: sign(account.token, timestamp, nonce, encrypted),
  };
  return { query, body };
}

/** A server configuration that nobody else has. */
export function newAccount(): PushAccount {
  return {
    appid: `wx${randomBytes(8).toString('hex')}`,
    token: randomBytes(12).toString('hex'),
    encodingAesKey: randomBytes(33).toString('base64').replace(/[+/]/g, 'x').slice(0, 43),
  };
}
