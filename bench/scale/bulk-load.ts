import pg from 'pg';
import type { Filling } from '../admin-lists/many-rows.js';

/** Statements that take something off a table and put it back. */
interface Part {
  readonly removal: string;
  readonly creation: string;
}

/** A table and, where it is partitioned, its partitions. */
const relations = (table: string) =>
  `(SELECT 'iam.${table}'::regclass AS relid UNION SELECT relid FROM pg_partition_tree('iam.${table}'))`;

const constraint = `
  SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS removal,
         format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid)) AS creation
  FROM pg_constraint c`;

/** Other tables refer to ours too. */
const foreignKeysSql = `${constraint} WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'iam'::regnamespace`;

/** What PostgreSQL would check and sort row by row; what a partition has from its parent comes and goes with the parent's. */
const partsSql = (table: string) => `
  ${constraint} JOIN ${relations(table)} r ON relid = conrelid WHERE contype IN ('p', 'u') AND conparentid = 0
  UNION ALL
  SELECT format('DROP INDEX %s', indexrelid::regclass), replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
  FROM pg_index JOIN ${relations(table)} r ON relid = indrelid JOIN pg_class i ON i.oid = indexrelid
  WHERE NOT i.relispartition AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)`;

/**
 * Fills tables of a server that nobody else uses, without indexes, constraints and triggers, which come back when the rows are
 * there; on two connections, table by table. With `wal_level=minimal` nothing of it is logged.
 */
export async function bulkLoad(
  url: string,
  fillings: readonly Filling[],
  say: (text: string) => void,
): Promise<void> {
  const tables = [...new Set(fillings.map(({ table }) => table))];
  const clients = [await connect(url), await connect(url)] as const;
  try {
    const [first] = clients;
    const foreignKeys = (await first.query<Part>(foreignKeysSql)).rows;
    for (const { removal } of foreignKeys) await first.query(removal);
    const parts = new Map<string, Part[]>();
    for (const table of tables) parts.set(table, (await first.query<Part>(partsSql(table))).rows);
    for (const { removal } of [...parts.values()].flat()) await first.query(removal);
    const left = [...tables];
    const work = async (client: pg.Client) => {
      for (let table = left.shift(); table !== undefined; table = left.shift()) {
        const began = performance.now();
        await fill(client, table, fillings);
        for (const { creation } of parts.get(table) ?? []) await client.query(creation);
        // Once more: only now there are indexes on expressions, of which the planner needs statistics too.
        await client.query(`ANALYZE iam.${table}`);
        say(`  ${table}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
      }
    };
    await Promise.all(clients.map(work));
    for (const { creation } of foreignKeys) await first.query(creation);
    await first.query('CHECKPOINT');
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`SET session_replication_role = replica`);
  await client.query(`SET maintenance_work_mem = '1GB'`);
  await client.query('SET max_parallel_maintenance_workers = 0');
  return client;
}

/** Rows of a table that was emptied in the same transaction need no log. */
async function fill(client: pg.Client, table: string, fillings: readonly Filling[]): Promise<void> {
  await client.query('BEGIN');
  await client.query(`TRUNCATE iam.${table}`);
  for (const filling of fillings) if (filling.table === table) await client.query(filling.sql);
  await client.query('COMMIT');
  await client.query(`VACUUM ANALYZE iam.${table}`);
}
