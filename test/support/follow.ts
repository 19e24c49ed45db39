import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Person } from '../../emulator/index.js';
import type { IdentityProviderInput } from '../../src/index.js';
import { startWorld, type IamAppOptions, type World } from './iam-app.js';
import { answerQuestion } from './page-qr.js';
import { PcBrowser, type Reply } from './pc-browser.js';

/** A `World` whose Official Account pushes to the application and whose row has the QR code enabled. */
export async function startFollowWorld(
  provider: Partial<IdentityProviderInput> = {},
  settings: Partial<IamAppOptions> = {},
): Promise<World> {
  const token = randomBytes(12).toString('hex');
  const encodingAesKey = randomBytes(32).toString('base64').slice(0, 43).replaceAll(/[+/]/g, 'a');
  const world = await startWorld({
    ...settings,
    provider: { qr_enabled: true, mp_token: token, mp_encoding_aes_key: encodingAesKey, ...provider },
  });
  world.oa.configureServer({ url: `${world.url}/iam/webhook/wechat`, token, encodingAesKey, mode: 'safe' });
  return world;
}

/** A device authorization as the client got it. */
export interface Device {
  readonly deviceCode: string;
  /** The number. */
  readonly userCode: string;
  readonly typedCode: string;
  readonly qr: string;
  readonly eventsUri: string;
}

/** Asks for a QR code. */
export async function askForQrCode(
  base: string,
  browser = new PcBrowser(),
  provider = 'wechat',
): Promise<Device> {
  const reply = await browser.visit(`${base}/iam/device_authorization`, {
    form: { client_id: 'web', provider },
  });
  const body = reply.json();
  return {
    deviceCode: String(body['device_code']),
    userCode: String(body['number']),
    typedCode: String(body['user_code']),
    qr: String(body['verification_uri_complete']),
    eventsUri: String(body['events_uri']),
  };
}

/** One poll (RFC 8628 §3.4). */
export function poll(
  base: string,
  device: Pick<Device, 'deviceCode'>,
  browser = new PcBrowser(),
): Promise<Reply> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    client_id: 'web',
    device_code: device.deviceCode,
  };
  return browser.visit(`${base}/iam/token`, { form, headers: { accept: 'application/json' } });
}

/** Polls until the answer is another than "wait". */
export async function pollUntilSettled(base: string, device: Pick<Device, 'deviceCode'>): Promise<Reply> {
  for (let tries = 0; tries < 50; tries += 1) {
    const reply = await poll(base, device);
    if (!['authorization_pending', 'slow_down'].includes(String(reply.json()['error']))) return reply;
    await delay(200);
  }
  throw new Error('the login never settled');
}

/** The confirm link in the last message of the Official Account. */
export function confirmLink({ oa }: World, person: Person): string {
  const link = person
    .chat(oa)
    .at(-1)
    ?.links.find((each) => each.includes('/iam/confirm/'));
  if (link === undefined)
    throw new Error(`no confirm link in: ${person.chat(oa).at(-1)?.text ?? '(no message)'}`);
  return link;
}

/** Opens the confirm link in WeChat and presses a button of the page. */
export async function decideOnPhone(
  world: World,
  person: Person,
  decision: 'confirm' | 'deny',
  fields: Readonly<Record<string, string>> = {},
) {
  const page = await person.openInWechat(confirmLink(world, person));
  return answerQuestion(person, page, decision, fields);
}

/** Scans and, where the phone only shows the account's profile, follows. */
export async function scanAndFollow({ oa }: World, person: Person, qr: string): Promise<void> {
  const result = await person.scan(qr);
  if (result.kind === 'profile') await person.follow(oa);
}
