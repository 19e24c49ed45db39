import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readWholeNumber } from '../arguments.js';
import type { Table } from '../group.js';
import { printTable } from '../print-table.js';
import { type Resources, runProgram } from '../resources.js';
import { breakThings, tableOfBreaks } from './breaks.js';
import { check } from './checks.js';
import { Client } from './client.js';
import { People } from './people.js';
import { Promises } from './promises.js';
import { APART_MS, pushMessage } from './pushes.js';
import { openStack, type Stack } from './stack.js';
import { Usage } from './usage.js';

/** What goes on at once. */
const PUSHES = 24;
const SIGN_INS = 3;
const REFRESHES = 1;

const { values } = parseArgs({
  options: {
    pushes: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '480' },
    direct: { type: 'boolean', default: false },
    logs: { type: 'boolean', default: false },
  },
});
const most = {
  pushes: readWholeNumber('pushes', values.pushes),
  seconds: readWholeNumber('seconds', values.seconds),
};

const say = (text: string) => process.stderr.write(`${text}\n`);

async function run(resources: Resources): Promise<boolean> {
  const stack = await openStack(resources, values, say);
  const { world } = stack;
  world.wechat.rules.pushPause = APART_MS;
  const client = new Client(world.replica.url, world.agent);
  const promises = new Promises();
  const people = new People(world, client, promises);
  const usage = new Usage();
  const startedAt = performance.now();
  const endsAt = startedAt + most.seconds * 1000;
  let pushes = 0;
  let lives = 0;
  const isOver = () => pushes >= most.pushes || performance.now() > endsAt;
  const [breaks] = await Promise.all([
    breakThings(stack, isOver, say),
    usage.watch(stack, isOver),
    ...many(PUSHES, isOver, () => {
      pushes += 1;
      if (pushes % 10_000 === 0) say(`${pushes} pushes`);
      return pushMessage(world, client, promises);
    }),
    ...many(SIGN_INS, isOver, () => people.live((lives += 1))),
    ...many(REFRESHES, isOver, refreshing(people, promises)),
  ]);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const used = usage.table();
  const broken = tableOfBreaks(breaks, client);
  const failed = tableOfFailures(client);
  say('checking');
  const { tables, isKept } = await check(stack, people, promises);
  process.stdout.write(`${pushes} pushes and ${lives} people in ${seconds} s, ${poolerOf(stack)}\n`);
  for (const table of [...tables, failed, broken, used]) process.stdout.write(`\n${printTable(table)}\n`);
  for (const text of promises.broken.slice(0, 20)) process.stdout.write(`broken: ${text}\n`);
  return isKept;
}

function poolerOf({ pgBouncer }: Stack): string {
  return pgBouncer === null ? 'without PgBouncer' : `PgBouncer ${pgBouncer.version}`;
}

function many(count: number, isOver: () => boolean, work: () => Promise<unknown>): Promise<void>[] {
  return Array.from({ length: count }, async () => {
    while (!isOver()) await work();
  });
}

/** Takes one session after the other, and begins again with the first. */
function refreshing(people: People, { sessions }: Promises): () => Promise<void> {
  let queue = sessions.values();
  return async () => {
    const { value: session, done } = queue.next();
    if (done === true) {
      queue = sessions.values();
      await delay(100);
    } else if (!session.isBusy && !session.isOver) {
      await people.refresh(session);
      await people.visit(session);
    }
  };
}

function tableOfFailures({ counts, failures }: Client): Table {
  const reasons = [...new Set(failures.map(({ reason }) => reason))].sort();
  const rows = Array.from(counts, ([operation, count]) => {
    const own = failures.filter((failure) => failure.operation === operation);
    const timesOf = (name: string) => own.filter(({ reason }) => reason === name).length;
    const byReason = reasons.map((name) => [name, timesOf(name)] as const);
    const share = `${((own.length / count) * 100).toFixed(2)} %`;
    return { operation, count, failed: own.length, share, ...Object.fromEntries<number>(byReason) };
  });
  const columns = { operation: 'request', count: 'sent', failed: 'failed', share: 'share' };
  const named = Object.fromEntries(reasons.map((reason) => [reason, reason]));
  return {
    title: 'Failed requests, each delivery and repetition by itself',
    columns: { ...columns, ...named },
    rows,
  };
}

await runProgram(run);
