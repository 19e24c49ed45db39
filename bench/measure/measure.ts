import type { Table } from '../group.js';
import type { Profile } from '../profile.js';
import { percentile } from '../percentile.js';
import { type Cost, countAlone, type Counted } from './count-alone.js';
import type { Load, Operation } from './operation.js';

/** Columns of `measure`'s rows. */
export const columns = {
  operation: 'operation',
  perSecond: 'per second',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  aloneMs: 'alone ms',
  roundTrips: 'round trips',
  writes: 'writes',
  wechatCalls: 'WeChat calls',
  cpuMs: 'CPU ms',
};

type Row = Table['rows'][number];

/** A row for the operation and, if it has several steps, one for each of them. */
export async function measure(operation: Operation, profile: Profile, counted: Counted): Promise<Row[]> {
  await operation.load(profile.warmUpSeconds, profile.connections);
  counted.wechat.clearCalls();
  const costs = await countAlone(operation, profile.aloneRuns, counted);
  const cpuBefore = await cpuMs(counted);
  const load = await operation.load(profile.loadSeconds, profile.connections);
  const cpuUsed = (await cpuMs(counted)) - cpuBefore;
  const whole = { operation: operation.name, ...underLoad(load), ...total([...costs.values()]) };
  const rows = [{ ...whole, cpuMs: cpuUsed / load.latencies.length }];
  if (costs.size === 1) return rows;
  return [...rows, ...[...costs].map(([name, cost]) => stepRow(name, cost, load.steps.get(name) ?? []))];
}

function underLoad({ seconds, latencies }: Load) {
  return { perSecond: latencies.length / seconds, ...latencyOf(latencies) };
}

function latencyOf(latencies: readonly number[]) {
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

function stepRow(name: string, cost: Cost, latencies: readonly number[]): Row {
  return { operation: `· ${name}`, perSecond: null, ...latencyOf(latencies), ...total([cost]), cpuMs: null };
}

function total(costs: readonly Cost[]) {
  const sum = (read: (cost: Cost) => number) => costs.reduce((all, cost) => all + read(cost), 0);
  return {
    aloneMs: sum(({ ms }) => ms),
    roundTrips: sum(({ statements }) => statements),
    writes: sum(({ writes }) => writes),
    wechatCalls: sum(({ wechatCalls }) => wechatCalls),
  };
}

async function cpuMs({ replicas }: Counted): Promise<number> {
  const readings = await Promise.all(replicas.map((replica) => replica.readings()));
  return readings.reduce((all, reading) => all + reading.cpuMs, 0);
}
