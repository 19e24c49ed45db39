import type { Table } from '../group.js';
import { medianSample, roundColumns, roundRow, type Sample, sampleColumns } from '../measure/sample.js';
import type { Profile } from '../profile.js';
import { contenders, yardstick } from './contenders.js';
import { differences } from './differences.js';

/** Measurements of each contender. */
export const kinds = ['returning', 'first', 'guarded', 'unguarded'] as const;

type Kind = (typeof kinds)[number];

/** One contender's samples of one round. */
export type RoundResult = Readonly<Record<Kind, Sample>>;

/** Every round of every contender, by its name. */
export type Results = ReadonlyMap<string, RoundResult[]>;

const titles = {
  returning: 'Returning sign-in',
  first: 'First sign-in',
  guarded: 'Guarded GET',
  unguarded: 'The same host, unguarded GET',
};

/** The tables of a run, medians of its rounds. */
export function peerTables(results: Results, { rounds, roundSeconds, peerConnections }: Profile): Table[] {
  const extent = `${peerConnections} at once, median of ${rounds} rounds`;
  const { cpuMs, perSecond, p50Ms, p99Ms, hostCpuMs, serverCpuMs, statements } = sampleColumns;
  const get = { perSecond, p50Ms, p99Ms, hostCpuMs, serverCpuMs, cpuMs, statements };
  const tableOf = (kind: Kind, seconds: number, columns: Readonly<Record<string, string>>) => ({
    title: `${titles[kind]}, ${extent} of ${seconds} s`,
    columns: { contender: 'host', ...columns },
    rows: contenders.map(({ name }) => ({
      contender: name,
      ...medianSample((results.get(name) ?? []).map((round) => round[kind])),
    })),
  });
  return [
    tableOf('returning', roundSeconds, sampleColumns),
    tableOf('first', roundSeconds, sampleColumns),
    tableOf('guarded', roundSeconds / 2, get),
    tableOf('unguarded', roundSeconds / 2, get),
    {
      title: 'Guarded requests per second, as a share of unguarded ones of the same host, round by round',
      columns: { contender: 'host', ...roundColumns(rounds) },
      rows: contenders.map(({ name }) => ({
        contender: name,
        ...roundRow(
          (results.get(name) ?? []).map(({ guarded, unguarded }) => guarded.perSecond / unguarded.perSecond),
        ),
      })),
    },
    ratioTable(results, rounds, 'cpuMs', 'CPU of host and PostgreSQL together'),
    ratioTable(results, rounds, 'perSecond', 'Throughput'),
    differences,
  ];
}

/** A value of each round as a share of the yardstick's of the same round. */
function ratioTable(results: Results, rounds: number, key: 'cpuMs' | 'perSecond', what: string): Table {
  const measured = results.get(yardstick) ?? [];
  const rows = (['returning', 'first', 'guarded'] as const).flatMap((kind) =>
    contenders
      .filter(({ name }) => name !== yardstick)
      .map(({ name }) => {
        const values = (results.get(name) ?? []).map(
          (round, index) => (round[kind][key] ?? Number.NaN) / (measured[index]?.[kind][key] ?? Number.NaN),
        );
        return { operation: titles[kind], contender: name, ...roundRow(values) };
      }),
  );
  return {
    title: `${what}, ${yardstick} = 1, round by round`,
    columns: { operation: 'operation', contender: 'host', ...roundColumns(rounds) },
    rows,
  };
}
