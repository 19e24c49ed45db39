import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Table } from '../group.js';
import { cpuMsOf } from '../measure/server-usage.js';
import type { Stack } from './stack.js';

/** What a run used, read every other second: what a killed process used after the last reading is not counted. */
export class Usage {
  /** CPU milliseconds by kind and process. */
  private readonly used = new Map<string, Map<number, number>>();
  private readonly startedAt = performance.now();
  private readonly machineBefore = machineTimes();
  private poolWaiting = 0;

  async watch(stack: Stack, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.read(stack);
      await delay(2_000);
    }
  }

  private async read({ replicas, world, database, pgBouncer }: Stack): Promise<void> {
    const load = { pid: process.pid };
    await Promise.all([
      ...replicas.map((replica) => this.readProcess('replicas, all four', replica)),
      this.readProcess('PostgreSQL', database),
      this.readProcess('PgBouncer', pgBouncer ?? {}),
      this.readProcess('proxy', world.replica),
      this.readProcess('people, front-ends and WeChat', load),
    ]);
    for (const replica of replicas) {
      const readings = await Promise.race([replica.readings().catch(() => null), delay(500, null)]);
      this.poolWaiting = Math.max(this.poolWaiting, readings?.poolWaiting ?? 0);
    }
  }

  private async readProcess(kind: string, { pid }: { readonly pid?: number | undefined }): Promise<void> {
    if (pid === undefined) return;
    const processes = this.used.get(kind) ?? new Map<number, number>();
    const ms = await cpuMsOf(String(pid));
    processes.set(pid, Math.max(ms, processes.get(pid) ?? 0));
    this.used.set(kind, processes);
  }

  /** As a table, with the resource that was nearest to its limit in the title. */
  table(): Table {
    const ms = performance.now() - this.startedAt;
    const after = machineTimes();
    const total = after.total - this.machineBefore.total;
    const busy = 1 - (after.idle - this.machineBefore.idle) / total;
    const rows = Array.from(this.used, ([kind, processes]) => {
      const used = [...processes.values()].reduce((sum, one) => sum + one, 0);
      return { kind, cpuS: used / 1000, cores: used / ms };
    });
    const machine = `${Math.round(busy * 100)} % of the CPU of ${cpus().length} cores`;
    const title = `Resources: ${machine}; at most ${this.poolWaiting} requests of one replica waited for a connection`;
    return { title, columns: { kind: 'processes', cpuS: 'CPU s', cores: 'cores' }, rows };
  }
}

function machineTimes() {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (of: (one: (typeof times)[number]) => number) => times.reduce((all, one) => all + of(one), 0);
  return {
    idle: sum(({ idle }) => idle),
    total: sum((one) => Object.values(one).reduce((a, b) => a + b, 0)),
  };
}
