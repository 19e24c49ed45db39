import { randomBytes } from 'node:crypto';
import { Agent } from 'undici';
import { type OpenPlatformAccount, WechatEmulator } from '../emulator/index.js';
import type { Stage } from './group.js';
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

/** Opens a world; every call to WeChat in it answers as fast as it can. */
export async function openWorld(
  stage: Stage,
  name: string,
  provider: Readonly<Record<string, string | boolean>> = {},
): Promise<World> {
  const { resources } = stage;
  const databaseUrl = await stage.createDatabase(name);
  const wechat = await resources.open(
    () => WechatEmulator.start(),
    (emulator) => emulator.stop(),
  );
  const agent = await resources.open(
    async () => new Agent({ connections: 64 }),
    (opened) => opened.destroy(),
  );
  const account = wechat.openPlatformAccount();
  const site = account.websiteApp({ callbackDomain: 'localhost' });
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  const publicUrl = 'http://localhost';
  const settings = {
    databaseUrl,
    endpoints: wechat.endpoints,
    publicUrl,
    key: randomBytes(32).toString('base64'),
  };
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
  return { wechat, site, oa, replica, databaseUrl, startAnother, publicUrl, agent };
}
