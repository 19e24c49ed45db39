import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Resources } from '../resources.js';

/** What a whole PostgreSQL server has done so far. */
export interface ServerUsage {
  /** CPU time of all its processes; null where the system has no `/proc`. */
  readonly cpuMs: number | null;
  /** Transactions that wrote something. */
  readonly commits: number;
  readonly walBytes: number;
}

/** The kernel counts CPU time in hundredths of a second. */
const TICK_MS = 10;

/** Watches the server of one of its databases by a connection of its own. */
export async function watchServer(resources: Resources, url: string): Promise<() => Promise<ServerUsage>> {
  const client = await resources.open(
    async () => {
      const opened = new pg.Client({ connectionString: url });
      await opened.connect();
      return opened;
    },
    (opened) => opened.end(),
  );
  const backend = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const postmaster = (await processOf(String(backend.rows[0]?.pid)))?.parent;
  return async () => {
    const { rows } = await client.query<{ xid: string; wal: string }>(
      `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid,
              pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS wal`,
    );
    const cpuMs = postmaster === undefined ? null : await cpuMsOf(postmaster);
    return { cpuMs, commits: Number(rows[0]?.xid), walBytes: Number(rows[0]?.wal) };
  };
}

interface Process {
  readonly pid: string;
  readonly parent: string;
  readonly ownTicks: number;
  /** Of children that have ended. */
  readonly childTicks: number;
}

async function processOf(pid: string): Promise<Process | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in brackets may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  const [parent] = fields.slice(1, 2);
  if (parent === undefined) return undefined;
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return { pid, parent, ownTicks: user + system, childTicks: childUser + childSystem };
}

/** CPU time of a process and all its children; nothing where it has ended or the system has no `/proc`. */
export async function cpuMsOf(postmaster: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = await Promise.all(pids.map(processOf));
  const ticks = processes.map((one) => {
    if (one?.pid === postmaster) return one.ownTicks + one.childTicks;
    return one?.parent === postmaster ? one.ownTicks : 0;
  });
  return TICK_MS * ticks.reduce((sum, some) => sum + some, 0);
}
