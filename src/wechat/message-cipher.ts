import { createHash, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { constantTimeEqual } from '../crypto/hash.js';
import { Secret } from '../crypto/secret.js';

/** The inputs of WeChat's signature: the Token of the server configuration, and the query's own timestamp and nonce. */
export interface SignedQuery {
  readonly token: string;
  readonly timestamp: string;
  readonly nonce: string;
}

/**
 * `signature` of a push or handshake; with the ciphertext, `msg_signature`. The plain one does not cover the body, so it
 * proves nothing about a message.
 */
export function signatureOf({ token, timestamp, nonce }: SignedQuery, encrypted = ''): string {
  // By code unit, as WeChat sorts: a ciphertext may begin with "+", before every digit.
  const sorted = [token, timestamp, nonce, encrypted].sort();
  return createHash('sha1').update(sorted.join('')).digest('hex');
}

/** True when the signature is WeChat's: 40 lower-case hex digits, compared in constant time. */
export function isSignature(signature: string, signed: SignedQuery, encrypted?: string): boolean {
  return constantTimeEqual(signatureOf(signed, encrypted), signature);
}

const aesBlock = 16;
/** WeChat pads to 32 bytes although AES blocks have 16, so Node's own padding cannot be used. */
const padBlock = 32;
const randomLength = 16;
const headerLength = randomLength + 4;

/** A message that is not WeChat's for this app. One error for every reason, so that a sender learns nothing. */
export class MessageRefused extends Error {
  constructor() {
    super('the message is not signed, encrypted and addressed as this app expects');
    this.name = 'MessageRefused';
  }
}

/** An encrypted message as it arrives: the ciphertext, and `msg_signature` with the values that it covers. */
interface EncryptedMessage extends SignedQuery {
  readonly encrypted: string;
  readonly msgSignature: string;
}

/** An encrypted reply, in WeChat's own names. */
export interface EncryptedReply {
  readonly Encrypt: string;
  readonly MsgSignature: string;
  readonly TimeStamp: string;
  readonly Nonce: string;
}

/** True for an EncodingAESKey: 43 characters of base64, the last of which may carry two surplus bits. */
export function isEncodingAesKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}$/.test(text);
}

/** Opens and seals the messages of one app under one EncodingAESKey (safe and compatible mode). */
export class MessageCipher {
  readonly #key: Buffer;

  constructor(
    private readonly appid: string,
    encodingAesKey: Secret | string,
  ) {
    const text = encodingAesKey instanceof Secret ? encodingAesKey.reveal() : encodingAesKey;
    if (!isEncodingAesKey(text)) throw new TypeError('encoding_aes_key: expected 43 letters and digits');
    this.#key = Buffer.from(`${text}=`, 'base64');
  }

  /** The message as WeChat wrote it, after its signature was verified: WeChat's encryption alone proves nothing. */
  open(message: EncryptedMessage): Buffer {
    if (!isSignature(message.msgSignature, message, message.encrypted)) throw new MessageRefused();
    return this.decrypt(message.encrypted);
  }

  /** A signed reply to the query with that timestamp and nonce. */
  seal(reply: string, signed: SignedQuery, random: Buffer = randomBytes(randomLength)): EncryptedReply {
    const encrypted = this.encrypt(reply, random);
    return {
      Encrypt: encrypted,
      MsgSignature: signatureOf(signed, encrypted),
      TimeStamp: signed.timestamp,
      Nonce: signed.nonce,
    };
  }

  private decrypt(encrypted: string): Buffer {
    const box = decodeBase64(encrypted);
    if (box === null || box.length % aesBlock !== 0) throw new MessageRefused();
    const decipher = createDecipheriv(
      'aes-256-cbc',
      this.#key,
      this.#key.subarray(0, aesBlock),
    ).setAutoPadding(false);
    const padded = Buffer.concat([decipher.update(box), decipher.final()]);
    const full = unpad(padded);
    if (full === null || full.length < headerLength) throw new MessageRefused();
    const end = headerLength + full.readUInt32BE(randomLength);
    // Empty where the length goes beyond the end: no app is called so.
    if (full.subarray(end).toString() !== this.appid) throw new MessageRefused();
    return full.subarray(headerLength, end);
  }

  private encrypt(message: string, random: Buffer): string {
    const bytes = Buffer.from(message);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    const full = pad(Buffer.concat([random, length, bytes, Buffer.from(this.appid)]));
    const cipher = createCipheriv('aes-256-cbc', this.#key, this.#key.subarray(0, aesBlock)).setAutoPadding(
      false,
    );
    return Buffer.concat([cipher.update(full), cipher.final()]).toString('base64');
  }
}

function pad(bytes: Buffer): Buffer {
  const count = padBlock - (bytes.length % padBlock);
  return Buffer.concat([bytes, Buffer.alloc(count, count)]);
}

/** Every padding byte must be right; looking at all of them takes the same time whichever is wrong. */
function unpad(padded: Buffer): Buffer | null {
  const count = padded.at(-1) ?? 0;
  const wrong = padded.subarray(-count).reduce((bits, byte) => bits | (byte ^ count), 0);
  return wrong === 0 && count <= padBlock ? padded.subarray(0, -count) : null;
}

function decodeBase64(text: string): Buffer | null {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : null;
}
