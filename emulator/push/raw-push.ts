import type { Platform } from '../platform.js';
import type { AppState, ServerSettings } from '../world/app-state.js';
import type { DeliveryAttempt } from './delivery.js';
import type { PushFields } from './push-fields.js';
import { pushRequest, type PushRequest } from './push-request.js';
import { readReply, type Reply } from './reply-reader.js';

/** How a push of a test's own making differs from a real one. */
export interface RawPushOptions {
  readonly url?: string;
  readonly mode?: ServerSettings['mode'];
  readonly format?: ServerSettings['format'];
  readonly token?: string;
  readonly encodingAesKey?: string;
  /** The appid inside the envelope. */
  readonly appid?: string;
  readonly timestamp?: string | number;
  readonly nonce?: string;
  /** How often the very same request is sent. @default 1 */
  readonly times?: number;
  /** Sends all of them at once. */
  readonly atOnce?: boolean;
  /** Changes the finished request: drop a signature, flip a byte, swap the body. */
  readonly tamper?: (request: PushRequest) => PushRequest;
}

/** What came back, and what WeChat would make of it. */
export interface RawPushResult extends DeliveryAttempt {
  readonly reply: Reply;
}

/** Sends a push once or several times. Fields that every push has are filled in unless given. */
export async function pushRaw(
  { pushes, world }: Platform,
  app: AppState,
  fields: PushFields,
  options: RawPushOptions,
): Promise<readonly RawPushResult[]> {
  const server = settingsFor(app, options);
  const { url = server.url, times = 1, tamper = (request: PushRequest) => request } = options;
  if (url === undefined) throw new TypeError('the app has no server URL');
  const complete = { ToUserName: app.originalId, CreateTime: world.clock.seconds(), ...fields };
  const openid = typeof fields['FromUserName'] === 'string' ? fields['FromUserName'] : '';
  const parts = pushes.parts({ app, fields: complete, openid });
  const request = tamper(
    pushRequest(server, {
      ...parts,
      appid: options.appid ?? app.appid,
      timestamp: String(options.timestamp ?? parts.timestamp),
      nonce: options.nonce ?? parts.nonce,
    }),
  );
  const parties = { to: openid, from: app.originalId, appid: app.appid, rules: world.rules };
  const send = async (): Promise<RawPushResult> => {
    const made = await pushes.sendOnce(url, request);
    return {
      ...made,
      reply: readReply(made.body, server, parties),
    };
  };
  if (options.atOnce) return Promise.all(Array.from({ length: times }, send));
  const results: RawPushResult[] = [];
  while (results.length < times) results.push(await send());
  return results;
}

function settingsFor(app: AppState, options: RawPushOptions): ServerSettings {
  const { mode, format, token, encodingAesKey } = options;
  const given = Object.entries({ mode, format, token, encodingAesKey }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...app.server, ...Object.fromEntries(given) };
}
