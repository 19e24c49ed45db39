import type { WechatEmulator } from '../../emulator/index.js';
import type { Replica } from '../host/replica.js';
import { median } from '../percentile.js';
import type { Operation, Step } from './operation.js';

/** What a step costs when nothing else goes on. */
export interface Cost {
  readonly ms: number;
  readonly statements: number;
  readonly writes: number;
  readonly wechatCalls: number;
}

/** Where the counts come from. */
export interface Counted {
  readonly replicas: readonly Replica[];
  readonly wechat: WechatEmulator;
}

/** Runs the operation several times, one after the other; gives the median cost of each step, in their order. */
export async function countAlone(
  operation: Operation,
  runs: number,
  counted: Counted,
): Promise<ReadonlyMap<string, Cost>> {
  const samples = new Map<string, Cost[]>();
  const step: Step = async (name, work) => {
    const before = await usage(counted);
    const began = performance.now();
    const result = await work();
    const ms = performance.now() - began;
    const after = await usage(counted);
    const cost = {
      ms,
      statements: after.statements - before.statements,
      writes: after.writes - before.writes,
      wechatCalls: after.wechatCalls - before.wechatCalls,
    };
    samples.set(name, [...(samples.get(name) ?? []), cost]);
    return result;
  };
  for (let run = 0; run < runs; run += 1) await operation.once(step, 0);
  return new Map([...samples].map(([name, costs]) => [name, medianOf(costs)]));
}

/** The median leaves out what happened by chance in between, such as a refresh of the provider rows. */
function medianOf(costs: readonly Cost[]): Cost {
  const of = (read: (cost: Cost) => number) => median(costs.map(read));
  return {
    ms: of(({ ms }) => ms),
    statements: of(({ statements }) => statements),
    writes: of(({ writes }) => writes),
    wechatCalls: of(({ wechatCalls }) => wechatCalls),
  };
}

/** Calls to WeChat's API so far; pages of WeChat are none. */
export const apiCalls = (wechat: WechatEmulator): number =>
  wechat.calls().filter(({ path }) => /^\/(sns|cgi-bin)\//.test(path)).length;

async function usage({ replicas, wechat }: Counted) {
  const readings = await Promise.all(replicas.map((replica) => replica.readings()));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return {
    statements: sum(readings.map(({ statements }) => statements)),
    writes: sum(readings.map(({ writes }) => writes)),
    wechatCalls: apiCalls(wechat),
  };
}
