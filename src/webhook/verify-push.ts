import { sha256 } from '../crypto/hash.js';
import type { Secret } from '../crypto/secret.js';
import type { MpServer } from '../identity-providers/identity-provider.js';
import { IamError } from '../errors/iam.error.js';
import {
  isEncodingAesKey,
  MessageCipher,
  MessageRefused,
  type EncryptedReply,
  isSignature,
  type SignedQuery,
} from '../wechat/message-cipher.js';
import { parseMessage, type ParsedMessage } from './parse-message.js';

/** The server configuration that a push is verified against: chosen by the path, never by the request. */
export interface ServerConfiguration extends MpServer {
  /** The apps whose messages may arrive here, the Official Account first; at least one. */
  readonly appids: readonly string[];
}

/** A message that WeChat sent, and how to encrypt the reply. */
export interface VerifiedPush extends ParsedMessage {
  /** The message as WeChat wrote it. */
  readonly bytes: Uint8Array;
  /** The app it was sent to; in plain mode the first, since the signature does not cover it. */
  readonly appid: string;
  /** Equal for everything that was posted under the same signature; null where the signature covers the message. */
  readonly replayKey: string | null;
  /** Encrypts a reply with the key that opened the message; null in plain mode. `now` is in milliseconds. */
  readonly seal: ((reply: string, now: number) => EncryptedReply) | null;
}

/**
 * Verifies and opens a push, each check in the order in which a sender meets it. The body is not read before the signature of the
 * query is verified; a message of WeChat's is never refused for its content.
 */
export function verifyPush(
  request: { readonly query: RawQuery; readonly body: Uint8Array },
  server: ServerConfiguration,
  now: number,
): VerifiedPush {
  const query = readQuery(request.query, now);
  const signature = readText(request.query, 'signature', signatureForm);
  const signed = { ...query, token: findToken(server, query, signature) };
  return server.mode === 'plain'
    ? plainPush(request.body, server, signature)
    : encryptedPush(request, server, signed);
}

function plainPush(bytes: Uint8Array, server: ServerConfiguration, signature: string): VerifiedPush {
  const message = parseMessage(bytes);
  if (isEnvelope(message)) throw forged('the message is encrypted, and the row says plain');
  return { ...message, bytes, appid: server.appids[0] ?? '', replayKey: sha256(signature), seal: null };
}

/** Exactly the fields of safe mode: a text that a person typed may look like one of them. */
function isEnvelope({ fields, isWhole }: ParsedMessage): boolean {
  return (
    isWhole && 'Encrypt' in fields && Object.keys(fields).every((name) => /^(Encrypt|ToUserName)$/.test(name))
  );
}

/** The clear part of the body is not signed, and not read. */
function encryptedPush(
  { query, body }: { readonly query: RawQuery; readonly body: Uint8Array },
  server: ServerConfiguration,
  signed: SignedQuery,
): VerifiedPush {
  readText(query, 'encrypt_type', /^aes$/);
  const msgSignature = readText(query, 'msg_signature', signatureForm);
  const encrypted = encryptedParts(body).find((part) => isSignature(msgSignature, signed, part));
  if (encrypted === undefined) throw forged('no encrypted part has this msg_signature');
  const { bytes, appid, cipher } = open(server, { ...signed, msgSignature, encrypted });
  const seal = (reply: string, at: number) =>
    cipher.seal(reply, { ...signed, timestamp: String(Math.floor(at / 1000)) });
  return { ...parseMessage(bytes), bytes, appid, replayKey: null, seal };
}

/** Verifies the handshake of a server URL and returns its `echostr` (protocol F.1). */
export function verifyHandshake(query: RawQuery, server: ServerConfiguration, now: number): string {
  findToken(server, readQuery(query, now), readText(query, 'signature', signatureForm));
  return readText(query, 'echostr', /^[^]{1,1024}$/);
}

/** The current Token or the previous one. */
function findToken(server: MpServer, query: Omit<SignedQuery, 'token'>, signature: string): string {
  const token = server.tokens
    .map((secret) => secret.reveal())
    .find((candidate) => isSignature(signature, { ...query, token: candidate }));
  if (token === undefined) throw forged('no Token of the row signed this');
  return token;
}

/**
 * All parts of the body that may be the ciphertext, in XML or JSON: in compatible mode a person's text stands in the clear
 * before it and may look like it. The signature decides.
 */
function encryptedParts(body: Uint8Array): string[] {
  const text = Buffer.from(body).toString('latin1');
  const inXml = text.matchAll(/<Encrypt>\s*(?:<!\[CDATA\[)?([A-Za-z0-9+/=]+)/g);
  const inJson = text.matchAll(/"\s*Encrypt\s*"\s*:\s*"([A-Za-z0-9+/=\\]+)"/g);
  return [...inXml, ...inJson].map(([, part = '']) => withoutEscapes(part));
}

/** JSON may escape a slash, and any other sign of base64 by its number. */
function withoutEscapes(part: string): string {
  return part
    .replace(/\\u00([\da-fA-F]{2})/g, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replaceAll('\\', '');
}

/** Tries the current EncodingAESKey, then the previous one; the appid at the end of the message decides. */
function open(
  server: ServerConfiguration,
  message: SignedQuery & { encrypted: string; msgSignature: string },
) {
  for (const key of usableKeys(server.encodingAesKeys)) {
    for (const appid of server.appids) {
      const cipher = new MessageCipher(appid, key);
      const bytes = tryOpen(cipher, message);
      if (bytes !== null) return { bytes, appid, cipher };
    }
  }
  throw forged('no EncodingAESKey of the row opens this for an app of the row');
}

function tryOpen(cipher: MessageCipher, message: Parameters<MessageCipher['open']>[0]): Buffer | null {
  try {
    return cipher.open(message);
  } catch (error) {
    if (error instanceof MessageRefused) return null;
    throw error;
  }
}

function usableKeys(keys: readonly Secret[]): Secret[] {
  const usable = keys.filter((key) => isEncodingAesKey(key.reveal()));
  if (usable.length === 0)
    throw new IamError('provider_misconfigured', 'mp_encoding_aes_key: expected 43 letters and digits');
  return usable;
}

/** Parameters of a push or handshake, as the URL gave them: an array where one was given several times. */
export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Seconds that WeChat's clock and this server's may differ. */
const WINDOW_SECONDS = 300;

/** The signed parameters next to the Token, in the right form and with a timestamp of now. @throws IamError `webhook_signature_invalid` */
function readQuery(query: RawQuery, now: number): Omit<SignedQuery, 'token'> {
  const timestamp = readText(query, 'timestamp', /^\d{10}$/);
  const nonce = readText(query, 'nonce', /^[\x21-\x7e]{1,128}$/);
  if (!isInWindow(timestamp, now))
    throw forged(`timestamp is ${Math.round(now / 1000 - Number(timestamp))} s old: is the clock right?`);
  return { timestamp, nonce };
}

/** True for a timestamp in seconds that is close enough to `now` in milliseconds. */
export function isInWindow(timestamp: string, now: number): boolean {
  return Math.abs(now / 1000 - Number(timestamp)) <= WINDOW_SECONDS;
}

/** A parameter given once, of this form. @throws IamError `webhook_signature_invalid` */
function readText(query: RawQuery, name: string, form: RegExp): string {
  const value = query[name];
  if (typeof value !== 'string' || !form.test(value)) throw forged(`${name} is missing or has another form`);
  return value;
}

/** 40 lower-case hex digits. */
const signatureForm = /^[0-9a-f]{40}$/;

/** One error for every sign that WeChat did not send this; the reason is for the log. */
export function forged(reason: string, cause?: unknown): IamError {
  return new IamError('webhook_signature_invalid', reason, cause === undefined ? {} : { cause });
}
