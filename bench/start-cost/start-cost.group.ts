import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { iamMigrations } from '../../src/index.js';
import { DataSource } from 'typeorm';
import type { Resources } from '../resources.js';
import type { Group, Stage, Table } from '../group.js';
import { median } from '../percentile.js';
import type { StartMessage } from './start-message.js';

const columns = {
  host: 'host',
  importMs: 'import ms',
  importCpuMs: 'CPU ms',
  startMs: 'create and listen ms',
  processMs: 'whole process ms',
  importedHeapMb: 'heap MB, imported',
  importedRssMb: 'RSS MB, imported',
  startedRssMb: 'RSS MB, listening',
};
const measures = [
  'importMs',
  'importCpuMs',
  'startMs',
  'processMs',
  'importedHeapMb',
  'importedRssMb',
  'startedRssMb',
] as const;

/** What the module adds to the start of a host. */
export const startCostGroup: Group = {
  name: 'start-cost',
  async run({ createDatabase, resources, profile, say }: Stage): Promise<Table[]> {
    const databaseUrl = await createDatabase('start_cost');
    await migrate(databaseUrl);
    const bare: StartMessage[] = [];
    const equipped: StartMessage[] = [];
    for (let round = 0; round <= profile.starts; round += 1) {
      say(`start-cost: round ${round} of ${profile.starts}`);
      const pair = [
        await start(resources, 'without', databaseUrl),
        await start(resources, 'with', databaseUrl),
      ];
      // The first round warms the disk's cache.
      if (round > 0) bare.push(...pair.slice(0, 1));
      if (round > 0) equipped.push(...pair.slice(1));
    }
    return [
      {
        title: `Start of a minimal Nest host, median of ${profile.starts}`,
        columns,
        rows: compare(bare, equipped),
      },
    ];
  },
};

async function migrate(url: string): Promise<void> {
  const dataSource = new DataSource({ type: 'postgres', url, migrations: [...iamMigrations] });
  await dataSource.initialize();
  await dataSource.runMigrations();
  await dataSource.destroy();
}

async function start(resources: Resources, kind: string, databaseUrl: string): Promise<StartMessage> {
  const entry = fileURLToPath(new URL('start-main.js', import.meta.url));
  const branch = await resources.branch();
  const child = await branch.open(
    async () => fork(entry, [kind, databaseUrl], { execArgv: ['--expose-gc'] }),
    async (forked) => void forked.kill('SIGKILL'),
  );
  const ended = once(child, 'exit').then(() => [undefined]);
  const [message] = await Promise.race([once(child, 'message') as Promise<[StartMessage]>, ended]);
  if (message === undefined) throw new Error(`the host ${kind} the module did not start`);
  await ended;
  await branch.close();
  return message;
}

function compare(bare: readonly StartMessage[], equipped: readonly StartMessage[]): Table['rows'] {
  const row = (host: string, valueOf: (name: (typeof measures)[number]) => number) => ({
    host,
    ...Object.fromEntries(measures.map((name) => [name, valueOf(name)])),
  });
  const middle = (messages: readonly StartMessage[]) => (name: (typeof measures)[number]) =>
    median(messages.map((message) => message[name]));
  return [
    row('without the module', middle(bare)),
    row('with the module', middle(equipped)),
    row('difference', (name) => middle(equipped)(name) - middle(bare)(name)),
  ];
}
