import type { MiniProgram, MiniVisit, Person } from '../../emulator/index.js';
import type { IdentityProviderInput } from '../../src/index.js';
import { type IamAppOptions, startWorld, type World } from './iam-app.js';
import { codesOf, leavePage, openFollowPage, startOnPage } from './follow-page.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import type { PcSignIn } from './sign-in.js';

/** The page of the mini program that confirms sign-ins. */
export const approvalPage = 'pages/approve/approve';

/** A `World` whose row has a mini program with a page that confirms sign-ins. */
export interface MiniWorld extends World {
  readonly mini: MiniProgram;
}

/** The mini program's page asks the application of the world. */
export async function startMiniWorld(
  provider: Partial<IdentityProviderInput> = {},
  settings: Partial<IamAppOptions> = {},
): Promise<MiniWorld> {
  return addMiniPage(await startWorld(settings), provider);
}

/** Gives the row of a world a mini program whose page confirms sign-ins. */
export async function addMiniPage<T extends World>(
  world: T,
  provider: Partial<IdentityProviderInput> = {},
): Promise<T & MiniWorld> {
  const page = { page: approvalPage, server: `${world.url}/iam`, clientId: 'web', provider: 'wechat' };
  const mini = world.account.miniProgram({ pages: ['pages/home/home'], approvalPage: page });
  await world.saveProvider({
    qr_enabled: true,
    qr_with: 'mini',
    mini_app_id: mini.appid,
    mini_app_secret: mini.secret,
    mini_approval_page: approvalPage,
    mini_link: 'scheme',
    ...provider,
  });
  return { ...world, mini };
}

/** A device authorization by a mini program code. */
export interface MiniDevice {
  readonly deviceCode: string;
  readonly number: string;
  readonly typedCode: string;
  readonly image: string;
  readonly openLink: string;
  readonly eventsUri: string;
}

/** Asks for a mini program code. */
export function askForMiniCode(base: string, browser = new PcBrowser(), client_id = 'web'): Promise<Reply> {
  const form = { client_id, provider: 'wechat', method: 'mini' };
  return browser.visit(`${base}/iam/device_authorization`, { form });
}

/** What the response to a start has. */
export function miniDeviceOf(reply: Reply): MiniDevice {
  const body = reply.json();
  return {
    deviceCode: String(body['device_code']),
    number: String(body['number']),
    typedCode: String(body['user_code']),
    image: String(body['qr_image']),
    openLink: String(body['open_link']),
    eventsUri: String(body['events_uri']),
  };
}

/** The scene that the phone gets with a code. */
export const sceneOf = (visit: MiniVisit): string => decodeURIComponent(visit.query['scene'] ?? '');

/** The scene in the link of a device, which no phone has opened. */
export const linkedSceneOf = ({ openLink }: MiniDevice): string =>
  (new URLSearchParams(openLink.split('?')[1]).get('query') ?? '').replace('scene=', '');

/** The access token of a person's sign-in in a mini program. */
export async function miniToken(
  world: World,
  person: Person,
  mini: MiniProgram,
  provider = 'wechat',
): Promise<string> {
  const code = person.wxLogin(mini);
  const form = { grant_type: 'urn:wechat:grant:mini_program', client_id: 'web', provider, code };
  return String((await new PcBrowser().visit(`${world.url}/iam/token`, { form })).json()['access_token']);
}

/** Asks for a code, scans it, and what the phone then knows. */
export async function scanMiniCode(world: Pick<World, 'url'>, person: Person) {
  const device = miniDeviceOf(await askForMiniCode(world.url));
  const visit = await person.scanMini(device.image);
  if (visit.screen.kind !== 'question') throw new Error(`not asked: ${JSON.stringify(visit.screen)}`);
  return { device, person, visit, approval: visit.screen.approval };
}

/** A sign-in on the page of an application, which a person confirms who has been signed in in the mini program for a day. */
export async function signInByMini(world: MiniWorld, person: Person, client_id: string): Promise<PcSignIn> {
  const page = await openFollowPage(world.url, { method: 'mini', client_id });
  const started = await startOnPage(page);
  await (await person.scanMini(String(started.json()['qr_image']))).confirm();
  await world.dataSource.query(
    `UPDATE iam.logins SET scanned_at = now() - interval '1 day' WHERE openid = $1`,
    [person.openid(world.mini)],
  );
  const location = await leavePage(page, codesOf(started).deviceCode);
  return { ...page, returned: { ...page.reply, location } };
}

/** Posts to the approvals as the page of a mini program does. */
export function postApproval(base: string, token: string, body: object, id?: string): Promise<Reply> {
  const path = id === undefined ? 'approvals' : `approvals/${id}`;
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  return new PcBrowser().visit(`${base}/iam/${path}`, { body, headers });
}
