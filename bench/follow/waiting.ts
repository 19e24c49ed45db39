import { setTimeout as pause } from 'node:timers/promises';
import type { Stage, Table } from '../group.js';
import type { Replica } from '../host/replica.js';
import { percentile } from '../percentile.js';
import type { World } from '../world.js';
import { openWorld } from '../world.js';
import { type DeviceLogin, scan, startLogins } from './device-client.js';
import { WaitingBrowser } from './waiting-browser.js';

type Row = Table['rows'][number];

/** Many browsers with a QR code on one replica, doing nothing, and then some of them scanned. */
export interface WaitingRows {
  readonly idle: Row;
  readonly events: readonly Row[];
}

/** Columns of `idle`. */
export const idleColumns = {
  waiting: 'waiting',
  statementsPerSecond: 'queries per second',
  cpuPercent: 'CPU %',
  loopDelayP99Ms: 'event loop late, p99 ms',
  heapMb: 'heap MB',
  rssMb: 'RSS MB',
};

/** Columns of `events`. */
export const eventColumns = {
  waiting: 'waiting',
  webhook: 'webhook lands on',
  scans: 'scans',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  maxMs: 'slowest ms',
};

const TIDY_MS = 5_000;

interface Waiting {
  readonly login: DeviceLogin;
  readonly browser: WaitingBrowser;
}

/** Lets so many browsers wait on a replica while the webhook lands on it or on another. */
export async function letWait(stage: Stage, count: number): Promise<WaitingRows> {
  const resources = await stage.resources.branch();
  try {
    const row = { qr_enabled: true, qr_confirmation: 'none' };
    const world = await openWorld({ ...stage, resources }, `waiting_${count}`, row);
    const other = await world.startAnother();
    const waiting = await open(world, count);
    await resources.open(
      () => Promise.resolve(waiting),
      async () => waiting.forEach(({ browser }) => browser.close()),
    );
    const idle = { waiting: count, ...(await watchIdle(world.replica, stage.profile.idleSeconds)) };
    const { scans } = stage.profile;
    const across = await scanSome(world, other, waiting.slice(0, scans), stage.profile.scanPauseMs);
    const same = await scanSome(
      world,
      world.replica,
      waiting.slice(scans, 2 * scans),
      stage.profile.scanPauseMs,
    );
    const events = [
      { waiting: count, webhook: 'another replica', ...across },
      { waiting: count, webhook: 'the same replica', ...same },
    ];
    return { idle, events };
  } finally {
    await resources.close();
  }
}

async function open(world: World, count: number): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  for (let left = count; left > 0; left -= 100) {
    const logins = await startLogins(world, Math.min(100, left));
    const opened = logins.map(async (login) => ({
      login,
      browser: await WaitingBrowser.open(world.replica.url, login.eventsPath),
    }));
    waiting.push(...(await Promise.all(opened)));
  }
  return waiting;
}

async function watchIdle(replica: Replica, seconds: number) {
  await pause(1_000);
  const before = await replica.readings();
  await pause(seconds * 1000);
  const after = await replica.readings({ tidy: true });
  // V8 gives pages back by and by.
  await pause(TIDY_MS);
  const { heapMb, rssMb } = await replica.readings({ tidy: true });
  return {
    statementsPerSecond: (after.statements - before.statements) / seconds,
    cpuPercent: (after.cpuMs - before.cpuMs) / seconds / 10,
    loopDelayP99Ms: after.loopDelayP99Ms,
    heapMb,
    rssMb,
  };
}

/** Scans at random moments, so that they meet every phase of the replica's tick. */
async function scanSome(world: World, target: Replica, waiting: readonly Waiting[], pauseMs: number) {
  world.oa.configureServer({ url: `${target.url}/iam/webhook/wechat` });
  const delays: Promise<number>[] = [];
  for (const { login, browser } of waiting) {
    await pause(Math.random() * 2 * pauseMs);
    const person = world.wechat.person({ nickname: '阿伟' });
    const pushedAt = performance.now();
    const pushed = scan(person, login);
    delays.push(pushed.then(() => browser.arrivalOf('confirmed')).then((arrived) => arrived - pushedAt));
  }
  const samples = await Promise.all(delays);
  return {
    scans: samples.length,
    p50Ms: percentile(samples, 0.5),
    p99Ms: percentile(samples, 0.99),
    maxMs: percentile(samples, 1),
  };
}
