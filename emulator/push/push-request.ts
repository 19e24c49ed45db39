import type { ServerSettings } from '../world/app-state.js';
import { seal } from './cipher.js';
import { toJson, toXml, type PushFields } from './push-fields.js';
import { sign } from './signature.js';

/** A push as it goes over the wire. */
export interface PushRequest {
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a push is made of besides the account's settings. */
export interface PushParts {
  readonly appid: string;
  readonly fields: PushFields;
  /** The person's openid in the query; absent in some pushes. */
  readonly openid?: string | undefined;
  readonly timestamp: string;
  readonly nonce: string;
  /** Sixteen bytes for the envelope. */
  readonly random: Buffer;
}

/** Signs and, unless the mode is plain, encrypts a push (protocol F.2). */
export function pushRequest(server: ServerSettings, parts: PushParts): PushRequest {
  const { timestamp, nonce, openid } = parts;
  const write = server.format === 'json' ? toJson : toXml;
  const query = new URLSearchParams({ signature: sign(server.token, timestamp, nonce), timestamp, nonce });
  if (openid !== undefined) query.set('openid', openid);
  const headers = {
    'content-type': server.format === 'json' ? 'application/json' : 'text/xml',
    'user-agent': 'Mozilla/4.0',
    accept: '*/*',
  };
  if (server.mode === 'plain') return { query, headers, body: write(parts.fields) };
  const message = write(parts.fields);
  const encrypted = seal({ message, appid: parts.appid, random: parts.random }, server.encodingAesKey);
  query.set('encrypt_type', 'aes');
  query.set('msg_signature', sign(server.token, timestamp, nonce, encrypted));
  const open = server.mode === 'compatible' ? parts.fields : { ToUserName: parts.fields['ToUserName'] ?? '' };
  return { query, headers, body: write({ ...open, Encrypt: encrypted }) };
}
