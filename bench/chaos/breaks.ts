import { setTimeout as delay } from 'node:timers/promises';
import type { Table } from '../group.js';
import { median } from '../percentile.js';
import type { Client } from './client.js';
import type { Stack } from './stack.js';

/** Something that was killed. */
export interface Break {
  readonly what: string;
  /** Of `performance.now()`. */
  readonly at: number;
  /** When its successor served. */
  readonly servingAt: number;
}

const PAUSE_MS = 6_000;
/** One of so many is PostgreSQL. */
const EVERY = 5;

/** Kills one replica after the other, and now and then PostgreSQL, each when its predecessor's successor serves. */
export async function breakThings(
  stack: Stack,
  isOver: () => boolean,
  say: (text: string) => void,
): Promise<Break[]> {
  const breaks: Break[] = [];
  for (let turn = 1; ; turn += 1) {
    for (let waited = 0; waited < PAUSE_MS; waited += 200) {
      if (isOver()) return breaks;
      await delay(200);
    }
    const at = performance.now();
    const what = turn % EVERY === 2 ? 'PostgreSQL' : 'a replica';
    if (what === 'PostgreSQL') await stack.database.crash();
    else await killReplica(stack, turn % stack.replicas.length);
    const servingAt = performance.now();
    say(`killed ${what}, serves again after ${Math.round(servingAt - at)} ms`);
    breaks.push({ what, at, servingAt });
  }
}

async function killReplica(stack: Stack, index: number): Promise<void> {
  await stack.replicas[index]?.kill();
  await stack.replace(index);
}

/** How long each kind of break was felt: until the last request failed before the next break. */
export function tableOfBreaks(breaks: readonly Break[], { failures }: Client): Table {
  const felt = breaks.map((one, index) => {
    const nextAt = breaks[index + 1]?.at ?? Infinity;
    const failed = failures.filter(({ at }) => at >= one.at && at < nextAt);
    return { ...one, failed: failed.length, lastAfter: (failed.at(-1)?.at ?? one.at) - one.at };
  });
  const rows = [...new Set(breaks.map(({ what }) => what))].map((what) => {
    const some = felt.filter((one) => one.what === what);
    const serving = some.map(({ at, servingAt }) => (servingAt - at) / 1000);
    const last = some.map(({ lastAfter }) => lastAfter / 1000);
    const failed = some.map((one) => one.failed);
    return {
      ...{ what, times: some.length, serving: median(serving), servingMost: Math.max(...serving) },
      ...{ last: median(last), lastMost: Math.max(...last) },
      ...{ failed: median(failed), failedMost: Math.max(...failed) },
    };
  });
  const columns = {
    what: 'killed with SIGKILL',
    times: 'times',
    serving: 'successor serves after s',
    servingMost: 'at most',
    last: 'last failed request after s',
    lastMost: 'at most',
    failed: 'failed requests',
    failedMost: 'at most',
  };
  return { title: 'What was killed, and for how long requests failed', columns, rows };
}
