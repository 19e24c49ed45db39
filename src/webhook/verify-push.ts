import { sha256 } from '../crypto/hash.js';
import type { Secret } from '../crypto/secret.js';
import type { MpServer } from '../identity-providers/identity-provider.js';
import { IamError } from '../iam.error.js';
import {
  isEncodingAesKey,
  MessageCipher,
  MessageRefused,
  type EncryptedReply,
} from '../wechat/message-cipher.js';
import { isSignature, type SignedQuery } from '../wechat/signature.js';
import { parseMessage, type ParsedMessage } from './parse-message.js';
import {
  forged,
  readQuery,
  readText,
  signatureForm,
  type QueryToVerify,
  type RawQuery,
} from './signed-query.js';

/** The server configuration that a push is verified against: chosen by the path, never by the request. */
export interface ServerConfiguration extends MpServer {
  /** The apps whose messages may arrive here, the Official Account first. */
  readonly appids: readonly [string, ...string[]];
}

/** A message that WeChat sent, and how to answer it. */
export interface VerifiedPush extends ParsedMessage {
  /** The app it was sent to; in plain mode the Official Account, since nothing says so. */
  readonly appid: string;
  /** Equal for whatever was posted under the same signature; null where the signature covers the message. */
  readonly replayKey: string | null;
  /** Encrypts a reply with the key that opened the message; null in plain mode. `now` is in milliseconds. */
  readonly seal: ((reply: string, now: number) => EncryptedReply) | null;
}

/** Verifies and opens a push. Every check stands in the order in which whoever sends one meets it. */
export function verifyPush(
  request: { readonly query: RawQuery; readonly body: Uint8Array },
  server: ServerConfiguration,
  now: number,
): VerifiedPush {
  const query = readQuery(request.query, now);
  if (server.mode === 'plain') {
    const signature = readText(request.query, 'signature', signatureForm);
    findToken(server, query, signature);
    const message = parseMessage(request.body);
    if ('Encrypt' in message.fields && !('MsgType' in message.fields))
      throw forged('the message is encrypted, and the row says plain');
    return { ...message, appid: server.appids[0], replayKey: sha256(signature), seal: null };
  }
  readText(request.query, 'encrypt_type', /^aes$/);
  const msgSignature = readText(request.query, 'msg_signature', signatureForm);
  const encrypted = encryptedPart(request.body);
  const signed = { ...query, token: findToken(server, query, msgSignature, encrypted) };
  const { text, appid, cipher } = open(server, { ...signed, msgSignature, encrypted });
  const seal = (reply: string, at: number) =>
    cipher.seal(reply, { ...signed, timestamp: String(Math.floor(at / 1000)) });
  return { ...parseMessage(text), appid, replayKey: null, seal };
}

/** Verifies the question whether this server knows the Token, and gives the text to answer it with (protocol F.1). */
export function verifyHandshake(query: RawQuery, server: ServerConfiguration, now: number): string {
  findToken(server, readQuery(query, now), readText(query, 'signature', signatureForm));
  return readText(query, 'echostr', /^[^]{1,1024}$/);
}

/** The current Token or the previous one. */
function findToken(server: MpServer, query: QueryToVerify, signature: string, encrypted?: string): string {
  const token = server.tokens
    .map((secret) => secret.reveal())
    .find((candidate) => isSignature(signature, { ...query, token: candidate }, encrypted));
  if (token === undefined) throw forged('no Token of the row signed this');
  return token;
}

/** What the clear part of the body says besides is nobody's word. */
function encryptedPart(body: Uint8Array): string {
  const { fields } = readEnvelope(body);
  if (typeof fields['Encrypt'] !== 'string') throw forged('nothing is encrypted');
  return fields['Encrypt'];
}

function readEnvelope(body: Uint8Array): ParsedMessage {
  try {
    return parseMessage(body);
  } catch (cause) {
    throw forged('the envelope cannot be read', cause);
  }
}

/** Tries the current EncodingAESKey, then the previous one; the appid at the end of the message decides. */
function open(
  server: ServerConfiguration,
  message: SignedQuery & { encrypted: string; msgSignature: string },
) {
  for (const key of usableKeys(server.encodingAesKeys)) {
    for (const appid of server.appids) {
      const cipher = new MessageCipher(appid, key);
      const text = tryOpen(cipher, message);
      if (text !== null) return { text, appid, cipher };
    }
  }
  throw forged('no EncodingAESKey of the row opens this for an app of the row');
}

function tryOpen(cipher: MessageCipher, message: Parameters<MessageCipher['open']>[0]): string | null {
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
