import { randomBytes } from 'node:crypto';
import { Agent, request } from 'undici';
import { type OpenPlatformAccount, WechatEmulator } from '../emulator/index.js';
import type { Stage } from './group.js';
import { adminToken } from './host/host-app.js';
import type { ReplicaSettings } from './host/readings.js';
import { Replica } from './host/replica.js';

type WebsiteApp = ReturnType<OpenPlatformAccount['websiteApp']>;
type OfficialAccount = ReturnType<OpenPlatformAccount['officialAccount']>;

/** WeChat in this process, and a host application with one provider row, `wechat`, in a process of its own. */
export interface World {
  readonly wechat: WechatEmulator;
  readonly site: WebsiteApp;
  readonly oa: OfficialAccount;
  readonly replica: Replica;
  readonly databaseUrl: string;
  /** Another process on the same database. */
  startAnother(): Promise<Replica>;
  /** Where the replica believes to be; nobody ever connects to it. */
  readonly publicUrl: string;
  /** The connections of our own requests. */
  readonly agent: Agent;
}

/** WeChat in this process, with a website and an Official Account of one company. */
export interface WechatSide {
  readonly wechat: WechatEmulator;
  readonly account: OpenPlatformAccount;
  readonly site: WebsiteApp;
  readonly oa: OfficialAccount;
}

/** Opens the emulator; with the same seed its apps and people have the same names again. */
export async function openWechat({ resources }: Stage, seed?: string): Promise<WechatSide> {
  const wechat = await resources.open(
    () => WechatEmulator.start(seed === undefined ? {} : { seed }),
    (emulator) => emulator.stop(),
  );
  const account = wechat.openPlatformAccount();
  const site = account.websiteApp({ callbackDomain: 'localhost' });
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  return { wechat, account, site, oa };
}

/** Opens a world on a new database; every call to WeChat in it answers as fast as it can. */
export async function openWorld(
  stage: Stage,
  name: string,
  provider: Readonly<Record<string, string | boolean>> = {},
): Promise<World> {
  const databaseUrl = await stage.createDatabase(name);
  const key = randomBytes(32).toString('base64');
  return openWorldOn(stage, await openWechat(stage), { databaseUrl, key, provider });
}

/** Where a world stores what it knows, and what is special about its replicas and their provider row. */
export interface WorldDatabase extends Pick<ReplicaSettings, 'preparedStatements' | 'isSilent'> {
  readonly databaseUrl: string;
  /** Seals secrets in the database. */
  readonly key: string;
  readonly provider?: Readonly<Record<string, string | boolean>>;
}

/** Opens a world on a database that may be in use already. */
export async function openWorldOn(
  { resources }: Stage,
  { wechat, site, oa }: WechatSide,
  { provider = {}, ...database }: WorldDatabase,
): Promise<World> {
  const agent = await resources.open(
    async () => new Agent({ connections: 64 }),
    (opened) => opened.destroy(),
  );
  const publicUrl = 'http://localhost';
  const settings = { ...database, endpoints: wechat.endpoints, publicUrl };
  const row = {
    name: '微信',
    open_app_id: site.appid,
    open_app_secret: site.secret,
    mp_app_id: oa.appid,
    mp_app_secret: oa.secret,
    mp_token: oa.settings.server.token,
    mp_encoding_aes_key: oa.settings.server.encodingAesKey,
    ...provider,
  };
  const start = (columns: ReplicaSettings['provider']) => {
    const all: ReplicaSettings = { ...settings, provider: columns };
    return Replica.start(resources, all);
  };
  const replica = await start(row);
  const startAnother = () => start(null);
  return { wechat, site, oa, replica, databaseUrl: database.databaseUrl, startAnother, publicUrl, agent };
}

/** Adds a provider row by the admin API. */
export async function addProvider(
  { replica }: Pick<World, 'replica'>,
  row: Readonly<Record<string, string>>,
): Promise<void> {
  const answer = await request(`${replica.url}/iam/admin/providers`, {
    method: 'POST',
    body: JSON.stringify(row),
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`no row ${String(row['slug'])}: ${text}`);
}
