import type { ServerSettings } from '../world/app-state.js';
import { unseal } from './cipher.js';
import { readPassiveMessage, type PassiveMessage, type ReplyParties } from './passive-reply.js';
import { sign } from './signature.js';
import { childText, readXml } from './xml-reader.js';

/** What an answer to a push means. */
export type Reply =
  | { readonly kind: 'none' }
  | { readonly kind: 'message'; readonly message: PassiveMessage }
  | { readonly kind: 'malformed'; readonly why: string };

/** Reads the answer to a push: nothing, `success`, or a message, which in safe mode must be encrypted. */
export function readReply(
  body: string,
  server: ServerSettings,
  parties: ReplyParties & { readonly appid: string },
): Reply {
  const tolerated = (text: string): string =>
    parties.rules.passiveReplies === 'tolerant' ? text.trim() : text;
  const reply = tolerated(body);
  if (reply === '' || reply === 'success') return { kind: 'none' };
  try {
    const opened = tolerated(openReply(reply, server, parties.appid));
    return { kind: 'message', message: readPassiveMessage(opened, server.format, parties) };
  } catch (error) {
    return { kind: 'malformed', why: error instanceof Error ? error.message : 'unreadable' };
  }
}

function openReply(body: string, server: ServerSettings, appid: string): string {
  const field = fieldReader(body, server.format);
  const encrypted = field('Encrypt');
  if (encrypted === '') {
    if (server.mode === 'safe') throw new Error('the reply is not encrypted');
    return body;
  }
  if (server.mode === 'plain') throw new Error('the reply is encrypted');
  const signature = sign(server.token, field('TimeStamp'), field('Nonce'), encrypted);
  if (field('MsgSignature') !== signature) throw new Error('MsgSignature is wrong');
  const envelope = unseal(encrypted, server.encodingAesKey);
  if (envelope.appid !== appid) throw new Error('the reply is signed for another appid');
  return envelope.message;
}

function fieldReader(body: string, format: 'xml' | 'json'): (name: string) => string {
  if (format === 'xml') {
    const root = readXml(body);
    return (name) => childText(root, name);
  }
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed !== 'object' || parsed === null) throw new Error('the reply is no object');
  const fields = new Map<string, unknown>(Object.entries(parsed));
  return (name) => (fields.has(name) ? String(fields.get(name)) : '');
}
