import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Resources } from '../resources.js';
import type { Question, Readings, ReplicaMessage } from './readings.js';

/** What runs in a replica's process; it calls `serveParent`. */
export interface HostProgram {
  readonly entry: URL;
  readonly args?: readonly string[];
  /** Options of Node.js. */
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A host with the module in it. */
export const moduleHost: HostProgram = {
  entry: new URL('replica-main.js', import.meta.url),
  execArgv: ['--expose-gc'],
};

/** A host application in a process of its own. */
export class Replica {
  private readonly waiting = new Map<number, (readings: Readings) => void>();
  private asked = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.on('message', (message: ReplicaMessage) => {
      if (message.kind !== 'readings') return;
      this.waiting.get(message.id)?.(message.readings);
      this.waiting.delete(message.id);
    });
  }

  /** Starts a process and waits until it serves. */
  static start(resources: Resources, settings: object, program = moduleHost): Promise<Replica> {
    return resources.open(
      () => Replica.launch(settings, program),
      (replica) => replica.stop(),
    );
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Sends it something that only its program understands. */
  tell(message: object): void {
    this.child.send(message);
  }

  /** Ends it by SIGKILL. */
  async kill(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  /** What it has used so far. */
  readings({ tidy } = { tidy: false }): Promise<Readings> {
    const question: Question = { id: (this.asked += 1), tidy };
    return new Promise((resolve, reject) => {
      this.waiting.set(question.id, resolve);
      this.child.send(question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  private static async launch(settings: object, program: HostProgram): Promise<Replica> {
    const { entry, args = [], execArgv = [], env = {} } = program;
    const child = fork(fileURLToPath(entry), [...args], {
      execArgv: [...execArgv],
      env: { ...process.env, ...env },
    });
    child.send(settings);
    const ended = once(child, 'exit').then(() => ({ kind: 'failed', reason: 'the process ended' }) as const);
    const [message] = await Promise.race([
      once(child, 'message') as Promise<[ReplicaMessage]>,
      ended.then((failure) => [failure] as const),
    ]);
    if (message.kind === 'started') return new Replica(child, message.url);
    child.kill('SIGKILL');
    throw new Error(`a replica did not start: ${message.kind === 'failed' ? message.reason : message.kind}`);
  }

  private async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    await ended;
  }
}
