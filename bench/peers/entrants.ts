import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from 'undici';
import { WechatEmulator } from '../../emulator/index.js';
import type { Stage } from '../group.js';
import type { ReplicaSettings } from '../host/readings.js';
import { type HostProgram, moduleHost, Replica } from '../host/replica.js';
import type { Surroundings } from '../measure/sample.js';
import { watchServer } from '../measure/server-usage.js';
import { type Contender, contenders, type Scene, type SignIn } from './contenders.js';
import { installPeers } from './install-peers.js';
import type { PeerSettings } from './peer-main.js';

/** Leads connections to WeChat's hosts to the emulator, in the process that loads it. */
const redirectScript = new URL('../../../test/third-party/node/redirect.mjs', import.meta.url);

/** A contender whose host runs. */
export interface Entrant extends Surroundings {
  readonly contender: Contender;
  readonly agent: Agent;
  readonly signIn: SignIn;
}

/** Installs the peers and starts every contender on a database of its own; all of them reach WeChat by its own names. */
export async function openEntrants(stage: Stage): Promise<readonly Entrant[]> {
  const { resources, say } = stage;
  say('peers: npm ci');
  const folder = await installPeers(resources);
  const wechat = await resources.open(
    () => WechatEmulator.start({ tls: {} }),
    (emulator) => emulator.stop(),
  );
  const authority = join(folder, 'ca.pem');
  await writeFile(authority, wechat.certificateAuthority ?? '');
  const agent = await resources.open(
    async () => new Agent({ connections: 64 }),
    (opened) => opened.destroy(),
  );
  const { appid, secret } = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'localhost' });
  const scene: Scene = { wechat, agent, publicUrl: 'http://localhost' };
  const entrants: Entrant[] = [];
  for (const contender of contenders) {
    say(`peers: ${contender.name} starts`);
    const databaseUrl = await stage.createDatabase(`peer_${entrants.length}`);
    const settings = { databaseUrl, appid, secret, publicUrl: scene.publicUrl };
    const program = programOf(contender, folder, {
      execArgv: ['--import', redirectScript.href],
      env: {
        NODE_ENV: 'production',
        NODE_EXTRA_CA_CERTS: authority,
        EMULATOR: new URL(wechat.endpoints.api).host,
      },
    });
    const started = contender.file === null ? settingsOfModule(settings) : settings;
    const replica = await Replica.start(resources, started, program);
    const serverUsage = await watchServer(resources, databaseUrl);
    const signIn = await contender.createSignIn(replica, scene);
    entrants.push({ contender, replica, wechat, agent, serverUsage, signIn });
  }
  return entrants;
}

function programOf({ file }: Contender, folder: string, node: Omit<HostProgram, 'entry'>): HostProgram {
  if (file === null) return { ...moduleHost, ...node };
  const entry = new URL('peer-main.js', import.meta.url);
  return { entry, args: [join(folder, 'hosts', file)], ...node };
}

function settingsOfModule({ databaseUrl, appid, secret, publicUrl }: PeerSettings): ReplicaSettings {
  const provider = { name: '微信', open_app_id: appid, open_app_secret: secret };
  return { databaseUrl, endpoints: null, publicUrl, key: randomBytes(32).toString('base64'), provider };
}
