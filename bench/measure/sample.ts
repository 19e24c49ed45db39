import type { WechatEmulator } from '../../emulator/index.js';
import type { Replica } from '../host/replica.js';
import { apiCalls } from './count-alone.js';
import { median, percentile } from '../percentile.js';
import type { Operation } from './operation.js';
import type { ServerUsage } from './server-usage.js';

/** What an operation took and cost under load, all but the first three for one run of it. */
export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly hostCpuMs: number;
  readonly serverCpuMs: number | null;
  /** Host and PostgreSQL together. */
  readonly cpuMs: number | null;
  readonly statements: number;
  readonly commits: number;
  readonly walBytes: number;
  readonly wechatCalls: number;
}

/** Where an operation leaves its traces. */
export interface Surroundings {
  readonly replica: Replica;
  readonly wechat: WechatEmulator;
  readonly serverUsage: () => Promise<ServerUsage>;
}

/** How long and how wide to measure. */
export interface Extent {
  readonly seconds: number;
  readonly workers: number;
}

/** Runs an operation under load and weighs what it used. */
export async function sample(
  operation: Pick<Operation, 'load'>,
  { replica, wechat, serverUsage }: Surroundings,
  { seconds, workers }: Extent,
): Promise<Sample> {
  wechat.clearCalls();
  const before = { host: await replica.readings(), server: await serverUsage() };
  const load = await operation.load(seconds, workers);
  const after = { host: await replica.readings(), server: await serverUsage() };
  const runs = load.latencies.length;
  const hostCpuMs = (after.host.cpuMs - before.host.cpuMs) / runs;
  const serverCpuMs =
    before.server.cpuMs === null || after.server.cpuMs === null
      ? null
      : (after.server.cpuMs - before.server.cpuMs) / runs;
  return {
    perSecond: runs / load.seconds,
    p50Ms: percentile(load.latencies, 0.5),
    p99Ms: percentile(load.latencies, 0.99),
    hostCpuMs,
    serverCpuMs,
    cpuMs: serverCpuMs === null ? null : hostCpuMs + serverCpuMs,
    statements: (after.host.statements - before.host.statements) / runs,
    commits: (after.server.commits - before.server.commits) / runs,
    walBytes: (after.server.walBytes - before.server.walBytes) / runs,
    wechatCalls: apiCalls(wechat) / runs,
  };
}

/** Columns of a row made of samples. */
export const sampleColumns = {
  perSecond: 'per second',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  hostCpuMs: 'host CPU ms',
  serverCpuMs: 'PostgreSQL CPU ms',
  cpuMs: 'both',
  statements: 'statements',
  commits: 'writing commits',
  walBytes: 'WAL bytes',
  wechatCalls: 'WeChat calls',
};

/** The median of each value over several rounds. */
export function medianSample(samples: readonly Sample[]): Readonly<Record<keyof Sample, number | null>> {
  const of = (key: keyof Sample) => {
    const values = samples.flatMap((one) => one[key] ?? []);
    return values.length === 0 ? null : median(values);
  };
  return {
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    hostCpuMs: of('hostCpuMs'),
    serverCpuMs: of('serverCpuMs'),
    cpuMs: of('cpuMs'),
    statements: of('statements'),
    commits: of('commits'),
    walBytes: of('walBytes'),
    wechatCalls: of('wechatCalls'),
  };
}

/** One value of each round as columns, with the median and the range at the end. */
export function roundColumns(rounds: number): Readonly<Record<string, string>> {
  const numbers = Array.from(
    { length: rounds },
    (_, index) => [`round${index}`, `round ${index + 1}`] as const,
  );
  return { ...Object.fromEntries(numbers), median: 'median', least: 'least', most: 'most' };
}

/** The row of `roundColumns`. */
export function roundRow(values: readonly number[]): Readonly<Record<string, number>> {
  const numbers = values.map((value, index) => [`round${index}`, value] as const);
  return {
    ...Object.fromEntries(numbers),
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
  };
}
