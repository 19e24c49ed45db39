import pg from 'pg';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { createHostApp } from './host-app.js';
import type { ReplicaSettings } from './readings.js';
import { type RunningHost, serveParent } from './serve-parent.js';
import { countStatements } from './statement-counter.js';

/** Entry of a replica's process: a host with the module in it. */
const pooled = z.object({ driver: z.object({ master: z.object({ waitingCount: z.number() }) }) });
const counter = countStatements(pg.Client);
process.once('message', (settings: ReplicaSettings) => serveParent(start(settings), counter));

async function start(settings: ReplicaSettings): Promise<RunningHost> {
  const app = await createHostApp(settings);
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('localhost', '127.0.0.1');
  const dataSource = app.get(DataSource);
  const poolWaiting = () => pooled.parse(dataSource).driver.master.waitingCount;
  return { url, close: () => app.close(), poolWaiting };
}
