import { request } from 'undici';
import type { Person } from '../../emulator/index.js';
import { readTokens, tokenForm, type Tokens } from '../sign-in/redirect-client.js';
import type { World } from '../world.js';

/** The grant of RFC 8628. */
export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** A QR code that waits to be scanned. */
export interface DeviceLogin {
  readonly deviceCode: string;
  /** What the QR code says. */
  readonly content: string;
  /** Path and query of the stream of its states. */
  readonly eventsPath: string;
}

/** The request for a QR code. */
export const deviceAuthorization = {
  path: '/iam/device_authorization',
  ...tokenForm({ provider: 'wechat' }),
};

/** Asks the first replica for a QR code. */
export async function startLogin({ replica, agent }: World): Promise<DeviceLogin> {
  const { path, ...form } = deviceAuthorization;
  const answer = await request(replica.url + path, { method: 'POST', dispatcher: agent, ...form });
  const text = await answer.body.text();
  if (answer.statusCode !== 200)
    throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 200)}`);
  return readLogin(JSON.parse(text));
}

/** Makes many QR codes, some of them at once. */
export async function startLogins(world: World, count: number): Promise<DeviceLogin[]> {
  const logins: DeviceLogin[] = [];
  let begun = 0;
  const work = async () => {
    while (begun < count) {
      begun += 1;
      logins.push(await startLogin(world));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return logins;
}

/** Exchanges a confirmed scan for tokens. */
export async function collect({ replica, agent }: World, { deviceCode }: DeviceLogin): Promise<Tokens> {
  const form = tokenForm({ grant_type: deviceGrant, device_code: deviceCode });
  const answer = await request(`${replica.url}/iam/token`, { method: 'POST', dispatcher: agent, ...form });
  return readTokens(await answer.body.text());
}

/** Somebody's phone reads the QR code; WeChat pushes that to the server of the Official Account. */
export async function scan(person: Person, { content }: DeviceLogin): Promise<void> {
  const result = await person.scan(content);
  const outcome = result.kind === 'chat' ? result.delivery?.outcome : result.kind;
  if (outcome !== 'answered') throw new Error(`the push of a scan: ${outcome ?? 'not sent'}`);
}

/** Reads the response to `deviceAuthorization`. */
export function readLogin(answer: unknown): DeviceLogin {
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('device_code' in answer && 'verification_uri_complete' in answer && 'events_uri' in answer)
  )
    throw new Error('no device authorization');
  const { pathname, search } = new URL(String(answer.events_uri));
  return {
    deviceCode: String(answer.device_code),
    content: String(answer.verification_uri_complete),
    eventsPath: pathname + search,
  };
}
