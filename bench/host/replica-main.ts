import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { INestApplication } from '@nestjs/common';
import { createHostApp } from './host-app.js';
import type { Question, Readings, ReplicaMessage, ReplicaSettings } from './readings.js';
import { countStatements } from './statement-counter.js';

const counter = countStatements();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

/** Entry of a replica's process: starts with the settings it is sent, answers every later message with its readings. */
let running: Promise<INestApplication> | undefined;

const answer = (message: ReplicaMessage) => process.send?.(message);

async function start(settings: ReplicaSettings): Promise<INestApplication> {
  const app = await createHostApp(settings);
  await app.listen(0, '127.0.0.1');
  answer({ kind: 'started', url: (await app.getUrl()).replace('localhost', '127.0.0.1') });
  return app;
}

function read(): Readings {
  const { user, system } = process.cpuUsage();
  const readings = {
    statements: counter.statements,
    writes: counter.writes,
    cpuMs: (user + system) / 1000,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
  };
  delay.reset();
  return readings;
}

process.once('message', (settings: ReplicaSettings) => {
  running = start(settings);
  running.catch((error: unknown) => answer({ kind: 'failed', reason: String(error) }));
  process.on('message', ({ id }: Question) => answer({ kind: 'readings', id, readings: read() }));
});
/** Ctrl-C in a terminal reaches every process; the parent decides what happens. */
process.on('SIGINT', () => undefined);
process.once('disconnect', () => {
  setTimeout(() => process.exit(1), 5_000).unref();
  void Promise.resolve(running)
    .then((app) => app?.close())
    .finally(() => process.exit());
});
