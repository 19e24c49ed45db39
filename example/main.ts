import { randomBytes } from 'node:crypto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AppSettings } from './app.module.js';
import { openDatabase } from './database/open-database.js';
import { demoMembers } from './demo/demo-links.js';
import { membersProvider } from './demo/demo-providers.js';
import { openWechat } from './demo/open-wechat.js';
import { readProviderRows } from './demo/provider-rows.js';
import { claimPort, portError } from './run/claim-port.js';
import { readEnvironment } from './run/environment.js';
import { Interrupted, Lifetime } from './run/lifetime.js';
import { findSealingKey } from './run/sealing-key.js';
import { StartUpError } from './run/start-up.error.js';

const DRAIN_MS = 5_000;
const SWEEP_MS = 100;
const lifetime = new Lifetime((code) => process.exit(code));

/** Composes the run from the environment, opens everything in order and says when it serves. */
async function start(): Promise<void> {
  const environment = readEnvironment(process.env);
  const rows = await readProviderRows(environment.providersFile);
  const port = await claimPort('PORT', environment.port);
  const publicUrl = environment.publicUrl ?? `http://localhost:${port}`;
  const key = await findSealingKey(environment);
  const adminToken = environment.adminToken ?? randomBytes(32).toString('base64url');

  const database = await openDatabase(environment);
  lifetime.onClose(() => database.close());
  const wechat = await openWechat(environment, publicUrl, rows);
  lifetime.onClose(() => wechat.close());

  // Many modules: a variable that is wrong is told before they are loaded.
  const { createApp, saveDemo } = await import('./create-app.js');
  const settings: AppSettings = {
    publicUrl,
    key,
    adminToken,
    databaseUrl: database.url,
    wechat: wechat.endpoints,
    rateLimits: environment.rateLimits,
    links: {
      publicUrl,
      phone: wechat.phone,
      members: demoMembers,
      membersProvider,
    },
  };
  const app = await createApp(settings);
  lifetime.onClose(() => drain(app));
  await saveDemo(app, rows);
  await listen(app, port);
  lifetime.startCompleted();
  if (wechat.phone !== null)
    console.error(`The emulator's phone, to scan and confirm with: ${wechat.phone.home}`);
  const shown = environment.adminToken === undefined ? adminToken : 'IAM_ADMIN_TOKEN';
  console.error(`The administration ${publicUrl}/iam/ui/admin opens with: ${shown}`);
  console.log(`ready ${publicUrl}`);
}

async function listen(app: NestExpressApplication, port: number): Promise<void> {
  try {
    await app.listen(port, '127.0.0.1');
  } catch (cause) {
    throw portError('PORT', port, cause);
  }
}

/** Lets running requests finish, but not for ever; a browser keeps the connection of an ended event stream. */
async function drain(app: NestExpressApplication): Promise<void> {
  const server = app.getHttpServer();
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const impatience = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await app.close();
  clearTimeout(impatience);
  clearInterval(sweep);
}

start().catch(async (error: unknown) => {
  if (error instanceof StartUpError || error instanceof TypeError) console.error(error.message);
  else if (!(error instanceof Interrupted)) console.error(error);
  await lifetime.close();
  process.exit(error instanceof Interrupted ? 0 : 1);
});
