import autocannon from 'autocannon';
import { type Agent, request } from 'undici';
import type { Load, Operation } from './operation.js';

/** A request to be sent. */
export interface Shot {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One connection's requests, each made when the answer to the one before is there. */
export interface Shooter {
  next(): Shot;
  /** Looks at an answer. */
  read?(body: string): void;
}

/** An operation that is a single request. */
export interface HttpShots {
  readonly name: string;
  /** Of the replica. */
  readonly url: string;
  /** The status that is a success. */
  readonly status: number;
  readonly agent: Agent;
  /** Makes the shooter of a new connection. */
  readonly shooter: () => Shooter;
  /** How many requests stand for so many seconds, where there is not always another one to send. */
  readonly amount?: (seconds: number) => number;
}

/** As an operation: autocannon makes the load. */
export function httpShots(shots: HttpShots): Operation {
  const alone = shots.shooter();
  return {
    name: shots.name,
    once: async (step) => {
      const { path, method = 'GET', headers = {}, body = null } = alone.next();
      await step(shots.name, async () => {
        const options = { method, headers, body, dispatcher: shots.agent };
        const answer = await request(shots.url + path, options);
        const text = await answer.body.text();
        checkStatus(shots, answer.statusCode, text);
        alone.read?.(text);
      });
    },
    load: (seconds, workers) => {
      const amount = shots.amount?.(seconds);
      const limit = amount === undefined ? { duration: seconds } : { amount: Math.max(workers, amount) };
      return fire(shots, { ...limit, connections: workers });
    },
  };
}

async function fire(
  shots: HttpShots,
  limits: { readonly duration?: number; readonly amount?: number; readonly connections: number },
): Promise<Load> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const options: autocannon.Options = {
    url: shots.url,
    ...limits,
    setupClient: (client) => arm(client, shots),
  };
  await new Promise<void>((resolve, reject) => {
    const instance = autocannon(options, (error: unknown) => {
      if (error === null || error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error('autocannon failed', { cause: error }));
    });
    instance.on('response', (_client, status, _bytes, milliseconds) => {
      latencies.push(milliseconds);
      if (status !== shots.status) instance.stop();
      if (status !== shots.status) reject(new Error(`${shots.name} answered ${status}`));
    });
  });
  return { seconds: (performance.now() - startedAt) / 1000, latencies, steps: new Map() };
}

function arm(client: autocannon.Client, shots: HttpShots): void {
  const shooter = shots.shooter();
  client.setRequests([
    {
      setupRequest: (made) => {
        const { path, method = 'GET', headers = {}, body } = shooter.next();
        return { ...made, path, method, headers, body };
      },
      onResponse: (_status, body) => shooter.read?.(body),
    },
  ]);
}

function checkStatus({ name, status }: HttpShots, actual: number, text: string): void {
  if (actual !== status) throw new Error(`${name} answered ${actual}: ${text.slice(0, 200)}`);
}
