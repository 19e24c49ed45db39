import type { MiniProgram } from '../../emulator/index.js';
import { addApps, type Apps } from './account.js';
import { AdminClient, adminOptions } from './admin.js';
import { cookieClient } from './cookie-client.js';
import type { CrowdedHost } from './crowded-host.js';
import { startWorld, type World } from './iam-app.js';
import { approvalPage } from './mini.js';
import { startCrowdedHost } from './replica-process.js';

/** A flow of the README: its name as the end of a sentence, and how it is played. */
export type Flow = readonly [name: string, play: (host: FullHost) => Promise<void>];

/** A host with every feature of the module in use, in a process of its own: `url` is its address. */
export interface FullHost extends World {
  readonly apps: Apps;
  /** The mini program of the row `mini`. */
  readonly approving: MiniProgram;
  readonly admin: AdminClient;
  /** The host with the Official Account of a row of follow-to-login. */
  at(slug: string): World;
}

/** Rows of follow-to-login, each with an Official Account of its own. */
const rows = {
  safe: { mode: 'safe', row: { qr_confirmation: 'tap' } },
  compatible: { mode: 'compatible', row: { qr_confirmation: 'number' } },
  plain: { mode: 'plain', row: { qr_confirmation: 'none' } },
  'then-open': { mode: 'safe', row: { qr_confirmation: 'none', qr_login_with: 'open' } },
} as const;

/** The slugs of the rows of follow-to-login. */
export const followSlugs = Object.keys(rows);

/** How many rows there are: also one for the binding, one of a QR code that opens a page, and one of a mini program code. */
export const rowCount = followSlugs.length + 4;

const options = { ...adminOptions, clients: [cookieClient()] } as const;
const keys = { token: 'tokenOfTheTests', encodingAesKey: 'a'.repeat(43) };
const union_scope = 'tea';

/** Starts it beside a `World` that has the database, WeChat and the rows. */
export async function startFullHost(crowded: CrowdedHost): Promise<FullHost> {
  const world = await startWorld({ provider: { union_scope }, options: { ...options, background: false } });
  const apps = await addApps(world);
  const site = { open_app_id: world.site.appid, open_app_secret: world.site.secret };
  await world.saveProvider({ slug: 'bind', name: 'bind', sign_up: 'bind', union_scope: 'bind', ...site });
  const approving = await addScannedRows(world);
  const accounts = new Map<string, World['oa']>();
  for (const [slug, { mode, row }] of Object.entries(rows)) {
    const oa = world.account.officialAccount({ oauthDomain: 'localhost' });
    accounts.set(slug, oa);
    await world.saveProvider({
      ...{ slug, name: slug, union_scope, qr_enabled: true, mp_message_mode: mode, ...site, ...row },
      ...{ mp_app_id: oa.appid, mp_app_secret: oa.secret },
      ...{ mp_token: keys.token, mp_encoding_aes_key: keys.encodingAesKey },
    });
  }
  const host = await startCrowdedHost(world, { crowded, options });
  for (const [slug, { mode }] of Object.entries(rows))
    accounts.get(slug)?.configureServer({ url: `${host.url}/iam/webhook/${slug}`, ...keys, mode });
  const here = { ...world, url: host.url };
  return {
    ...here,
    apps,
    approving,
    admin: new AdminClient(host.url),
    at: (slug) => ({ ...here, oa: accounts.get(slug) ?? world.oa }),
    close: () => host.stop().finally(() => world.close()),
  };
}

/** Adds the row `page`, whose QR code opens a page, and the row `mini`, whose code opens a mini program. */
async function addScannedRows({ account, saveProvider }: World): Promise<MiniProgram> {
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  const mini = account.miniProgram({ pages: [approvalPage] });
  const ofPage = { mp_app_id: oa.appid, mp_app_secret: oa.secret };
  const ofMini = { mini_app_id: mini.appid, mini_app_secret: mini.secret, mini_approval_page: approvalPage };
  const row = { union_scope, qr_enabled: true };
  await saveProvider({ slug: 'page', name: 'page', qr_with: 'page', ...row, ...ofPage });
  await saveProvider({ slug: 'mini', name: 'mini', qr_with: 'mini', ...row, ...ofMini });
  return mini;
}
