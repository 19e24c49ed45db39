import type pg from 'pg';
import type { Table } from '../group.js';
import type { Sample } from '../measure/sample.js';
import { median } from '../percentile.js';

const columns = {
  operation: 'operation',
  smallP50: 'p50 ms, small',
  greatP50: 'great',
  p50: 'ratio',
  smallHost: 'host CPU ms, small',
  greatHost: 'great',
  host: 'ratio',
  smallServer: 'PostgreSQL CPU ms, small',
  greatServer: 'great',
  server: 'ratio',
  both: 'CPU together, ratio',
};

/** What each operation takes on the small and the great database; ratios are taken within a round. */
export function ratioTable(
  title: string,
  results: ReadonlyMap<string, readonly (readonly Sample[])[]>,
): Table {
  const rows = [...results].map(([operation, rounds]) => {
    const of = (key: keyof Sample, candidate: number) =>
      median(rounds.map((samples) => samples[candidate]?.[key] ?? Number.NaN));
    const ratio = (key: keyof Sample) =>
      median(rounds.map(([small, great]) => (great?.[key] ?? Number.NaN) / (small?.[key] ?? Number.NaN)));
    return {
      operation,
      smallP50: of('p50Ms', 0),
      greatP50: of('p50Ms', 1),
      p50: ratio('p50Ms'),
      smallHost: of('hostCpuMs', 0),
      greatHost: of('hostCpuMs', 1),
      host: ratio('hostCpuMs'),
      smallServer: of('serverCpuMs', 0),
      greatServer: of('serverCpuMs', 1),
      server: ratio('serverCpuMs'),
      both: ratio('cpuMs'),
    };
  });
  return { title, columns, rows };
}

const sizesSql = `
  SELECT root::regclass::text AS name, sum(reltuples)::bigint::float8 AS rows,
         sum(pg_table_size(c.oid))::float8 / 1048576 AS heap, sum(pg_indexes_size(c.oid))::float8 / 1048576 AS indexes
  FROM pg_class c, LATERAL (SELECT COALESCE(pg_partition_root(c.oid), c.oid) AS root) r
  WHERE relnamespace = 'iam'::regnamespace AND relkind = 'r' GROUP BY root
  HAVING sum(reltuples) > 1000 ORDER BY sum(pg_total_relation_size(c.oid)) DESC`;

/** Rows and sizes of the tables; a partitioned one counts as one. */
export async function sizeTable(client: pg.Client, users: number): Promise<Table> {
  const { rows } = await client.query<{ name: string; rows: number; heap: number; indexes: number }>(
    sizesSql,
  );
  const sum = (key: 'heap' | 'indexes') => rows.reduce((total, row) => total + row[key], 0);
  return {
    title: `Tables among ${users.toLocaleString('en')} users`,
    columns: { name: 'table', rows: 'rows', heap: 'table MB', indexes: 'indexes MB' },
    rows: [...rows, { name: 'together', rows: null, heap: sum('heap'), indexes: sum('indexes') }],
  };
}
