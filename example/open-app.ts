import { randomBytes } from 'node:crypto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { openDatabase } from './database/open-database.js';
import { demoMembers, type DemoLinks } from './demo/demo-links.js';
import { membersProvider } from './demo/demo-providers.js';
import { openWechat } from './demo/open-wechat.js';
import { readProviderRows } from './demo/provider-rows.js';
import { claimPort, portError } from './run/claim-port.js';
import type { Environment } from './run/environment.js';
import type { Lifetime } from './run/lifetime.js';
import { findSealingKey } from './run/sealing-key.js';

const DRAIN_MS = 5_000;
const SWEEP_MS = 100;

/** The shop of a run, which serves. */
export interface OpenedApp {
  readonly publicUrl: string;
  readonly adminToken: string;
  readonly phone: DemoLinks['phone'];
}

/** Composes the run from the environment and opens everything in order. */
export async function openApp(
  environment: Environment,
  lifetime: Pick<Lifetime, 'onClose'>,
): Promise<OpenedApp> {
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
  const app = await createApp({
    publicUrl,
    key,
    adminToken,
    databaseUrl: database.url,
    wechat: wechat.endpoints,
    rateLimits: environment.rateLimits,
    links: { publicUrl, phone: wechat.phone, members: demoMembers, membersProvider },
  });
  lifetime.onClose(() => drain(app));
  await saveDemo(app, rows);
  await listen(app, port);
  return { publicUrl, adminToken, phone: wechat.phone };
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
