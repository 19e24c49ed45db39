import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { briefly, endWithTests } from './end-with-tests.js';
import type { World } from './iam-app.js';
import { joinProgram } from './join-program.mjs';
import type { ReplicaSettings } from './replica-main.js';

/** A host in a process of its own, on the database of a `World`. */
export interface ReplicaProcess {
  /** Where it listens; its `publicUrl` is the world's. */
  readonly url: string;
  stop(): Promise<void>;
  /** Ends it as a power cut would: nothing is finished, closed or said. */
  kill(): Promise<void>;
}

/** Starts another node process with the same database, key and public URL; other `options` travel as JSON. */
export function startReplicaProcess(
  world: World,
  options: NonNullable<ReplicaSettings['options']> = {},
): Promise<ReplicaProcess> {
  return startProcess(world, { options: { publicUrl: world.url, ...options } });
}

/** Starts a host that has everything at once, with the same database and key, and its own address as its public URL. */
export function startCrowdedHost(
  world: World,
  settings: Required<Pick<ReplicaSettings, 'crowded' | 'options'>>,
): Promise<ReplicaProcess> {
  return startProcess(world, settings);
}

async function startProcess(
  world: World,
  more: Pick<ReplicaSettings, 'crowded' | 'options'>,
): Promise<ReplicaProcess> {
  const program = await joinProgram(fileURLToPath(new URL('replica-main.ts', import.meta.url)));
  const child = fork(program, { execArgv: [...briefly], serialization: 'json' });
  const settings: ReplicaSettings = {
    databaseUrl: world.database.url,
    endpoints: world.wechat.endpoints,
    key: world.key,
    ...more,
  };
  child.send(settings);
  endWithTests(() => end(child));
  const events: unknown[] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  const [answer] = events;
  if (!isStarted(answer)) throw new Error(`the replica did not start: ${JSON.stringify(answer)}`);
  const stop = () => end(child);
  const kill = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return { url: answer.url, stop, kill };
}

/** It ends with its channel, as it does when we are killed. Rejects when it has answered otherwise than OpenAPI says. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (child.connected) child.disconnect();
  if ((await ended) !== 0) throw new Error('the replica did not end well: see its output');
}

function isStarted(answer: unknown): answer is { readonly url: string } {
  return typeof answer === 'object' && answer !== null && 'url' in answer && typeof answer.url === 'string';
}
