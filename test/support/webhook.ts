import { randomBytes } from 'node:crypto';
import type { IdentityProviderInput } from '../../src/index.js';
import { startWorld, type IamAppOptions, type World } from './iam-app.js';
import type { Reply } from './pc-browser.js';
import { newAccount, plainPush, safePush, toXml, type PushAccount, type PushToSend } from './wechat-push.js';

/** A `World` whose row has a server configuration, which the test plays WeChat to. */
export interface WebhookWorld extends World {
  readonly server: PushAccount;
  readonly webhook: string;
}

/** Starts a `WebhookWorld`, in safe mode unless the row says otherwise. */
export async function startWebhookWorld(
  provider: Partial<IdentityProviderInput> = {},
  settings: Partial<IamAppOptions> = {},
): Promise<WebhookWorld> {
  const { token, encodingAesKey } = newAccount();
  const world = await startWorld({
    ...settings,
    provider: { mp_token: token, mp_encoding_aes_key: encodingAesKey, ...provider },
  });
  const server = { appid: world.oa.appid, token, encodingAesKey };
  return { ...world, server, webhook: `${world.url}/iam/webhook/wechat` };
}

/** What an answer to a push was. */
export type PushResponse = Pick<Reply, 'status' | 'headers' | 'text'> & { readonly code: unknown };

/** Posts a push as WeChat does. */
export async function post(
  url: string,
  { query, body }: { readonly query: Readonly<Record<string, string>>; readonly body: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<PushResponse> {
  const response = await fetch(`${url}?${new URLSearchParams(query).toString()}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'text/xml', 'user-agent': 'Mozilla/4.0', ...headers },
  });
  const text = await response.text();
  const isProblem = (response.headers.get('content-type') ?? '').includes('problem+json');
  const problem: unknown = isProblem ? JSON.parse(text) : {};
  const code: unknown =
    typeof problem === 'object' && problem !== null ? Reflect.get(problem, 'code') : undefined;
  return { status: response.status, headers: response.headers, text, code };
}

const nowSeconds = () => Math.floor(Date.now() / 1000);

/** A person whom only messages have shown. */
export const newOpenid = (): string => `o${randomBytes(18).toString('base64url').slice(0, 27)}`;

/** An event's fields; `Event` and the person are up to the test. */
export function eventFields(
  Event: string,
  FromUserName: string,
  more: Readonly<Record<string, string | number>> = {},
): Readonly<Record<string, string | number>> {
  return { ToUserName: 'gh_x', FromUserName, CreateTime: nowSeconds(), MsgType: 'event', Event, ...more };
}

/** A text message's fields. */
export function textFields(
  Content: string,
  FromUserName = newOpenid(),
): Readonly<Record<string, string | number>> {
  const MsgId = String(randomBytes(8).readBigUInt64BE() >> 1n);
  return { ToUserName: 'gh_x', FromUserName, CreateTime: nowSeconds(), MsgType: 'text', Content, MsgId };
}

/** The fields as a push in safe mode. */
export const sealed = (
  fields: Readonly<Record<string, string | number>>,
  { server }: Pick<WebhookWorld, 'server'>,
): PushToSend => safePush(toXml(fields), server);

/** The fields as a push in plain mode. */
export const plain = (
  fields: Readonly<Record<string, string | number>>,
  { server }: Pick<WebhookWorld, 'server'>,
): PushToSend => plainPush(toXml(fields), server);
