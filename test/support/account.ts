import type { MiniProgram, MobileApp, Person } from '../../emulator/index.js';
import type { World } from './iam-app.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import { toTokens, type Tokens } from './sign-in.js';

/** One request of a signed-in user's front-end. */
export interface OwnCall {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  readonly browser?: PcBrowser;
}

/** Calls `/iam/me…` with an access token; a POST without a body sends `{}`. */
export function callMe(
  { url }: { readonly url: string },
  { accessToken }: Pick<Tokens, 'accessToken'>,
  path: string,
  { method = 'GET', body, browser = new PcBrowser() }: OwnCall = {},
): Promise<Reply> {
  return browser.visit(`${url}/iam/me${path}`, {
    method,
    headers: {
      authorization: `Bearer ${accessToken}`,
      accept: 'application/json',
      'accept-language': 'en',
    },
    ...((method === 'POST' || method === 'PATCH') && { body: body ?? {} }),
  });
}

/** The `items` of a list of `/iam/me…`. */
export function itemsOf(reply: Reply): Record<string, unknown>[] {
  const { items } = reply.json();
  if (!Array.isArray(items)) throw new Error(`no items: ${reply.text}`);
  return items.map((item: unknown) => Object(item) as Record<string, unknown>);
}

/** The apps of a world besides its website and its Official Account. */
export interface Apps {
  readonly mini: MiniProgram;
  readonly mobile: MobileApp;
}

/** Adds a mini program and a mobile app of the world's Open Platform account to its row. */
export async function addApps({ account, saveProvider }: World): Promise<Apps> {
  const mini = account.miniProgram();
  const mobile = account.mobileApp();
  await saveProvider({
    mini_app_id: mini.appid,
    mini_app_secret: mini.secret,
    mobile_app_id: mobile.appid,
    mobile_app_secret: mobile.secret,
  });
  return { mini, mobile };
}

const grants = { mini: 'urn:wechat:grant:mini_program', mobile: 'urn:wechat:grant:mobile_app' } as const;

/** Hands in the code of an app. */
export function handIn(
  { url }: { readonly url: string },
  kind: 'mini' | 'mobile',
  code: string,
  provider = 'wechat',
): Promise<Reply> {
  return new PcBrowser().visit(`${url}/iam/token`, {
    form: { grant_type: grants[kind], client_id: 'web', provider, code },
    headers: { accept: 'application/json' },
  });
}

/** A whole sign-in in a mini program or mobile app. */
export async function inApp(world: World, person: Person, apps: Apps, kind: 'mini' | 'mobile') {
  const code = kind === 'mini' ? person.wxLogin(apps.mini) : person.sendAuth(apps.mobile);
  return toTokens(await handIn(world, kind, code));
}
