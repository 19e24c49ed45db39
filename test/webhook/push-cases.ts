import { Secret } from '../../src/crypto/secret.js';
import { IamError } from '../../src/errors/iam.error.js';
import { verifyPush, type ServerConfiguration } from '../../src/webhook/verify-push.js';
import { newAccount, toXml } from '../support/wechat-push.js';

/** The server configuration that pushes of these tests are signed for. */
export const account = newAccount();
export const fields = {
  ToUserName: 'gh_x',
  FromUserName: 'oX',
  CreateTime: 1,
  MsgType: 'text',
  Content: '你好🌏',
};
export const message = toXml(fields);

/** A row in that mode. */
export function server(
  mode: ServerConfiguration['mode'],
  changes: { appids?: [string, ...string[]]; tokens?: string[]; keys?: string[] } = {},
): ServerConfiguration {
  const { appids = [account.appid], tokens = [account.token], keys = [account.encodingAesKey] } = changes;
  const secrets = (texts: string[]) => texts.map((text) => new Secret(text));
  return { mode, appids, tokens: secrets(tokens), encodingAesKeys: secrets(keys) };
}

export type Query = Record<string, string | string[] | undefined>;
/** As a request brings it. */
export const verify = (
  push: { query: Query; body: string | Buffer },
  configuration: ServerConfiguration,
  now = Date.now(),
) => verifyPush({ query: push.query, body: Buffer.from(push.body) }, configuration, now);

/** The code of the error, or `verified`. */
export function codeOf(work: () => unknown): string {
  try {
    work();
    return 'verified';
  } catch (error) {
    return error instanceof IamError ? error.code : String(error);
  }
}
