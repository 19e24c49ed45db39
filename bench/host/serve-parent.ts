import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Question, Readings, ReplicaMessage } from './readings.js';
import type { StatementCounter } from './statement-counter.js';

/** A host application that listens. */
export interface RunningHost {
  readonly url: string;
  close(): Promise<unknown>;
  /** Requests that wait for a connection of the pool. */
  readonly poolWaiting?: () => number;
}

const send = (message: ReplicaMessage) => process.send?.(message);

/** Tells the parent process when the host serves, and answers its later messages with readings. */
export function serveParent(running: Promise<RunningHost>, counter: StatementCounter): void {
  let poolWaiting = () => 0;
  const read = createReader(counter);
  running.then(
    (host) => {
      poolWaiting = host.poolWaiting ?? poolWaiting;
      send({ kind: 'started', url: host.url });
    },
    (error: unknown) => send({ kind: 'failed', reason: String(error) }),
  );
  process.on('message', ({ id, tidy }: Question) =>
    send({ kind: 'readings', id, readings: { ...read(tidy), poolWaiting: poolWaiting() } }),
  );
  // Ctrl-C in a terminal reaches every process; the parent decides what happens.
  process.on('SIGINT', () => undefined);
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), 5_000).unref();
    void running.then((host) => host.close()).finally(() => process.exit());
  });
}

function createReader(counter: StatementCounter): (tidy: boolean) => Omit<Readings, 'poolWaiting'> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return (tidy) => {
    const { user, system } = process.cpuUsage();
    if (tidy) globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    const readings = {
      statements: counter.statements,
      writes: counter.writes,
      cpuMs: (user + system) / 1000,
      rssMb: rss / 2 ** 20,
      heapMb: heapUsed / 2 ** 20,
      loopDelayP99Ms: delay.percentile(99) / 1e6,
    };
    delay.reset();
    return readings;
  };
}
