import type { Load, Operation, Step } from './operation.js';

/** An operation of several steps, repeated by workers that start the next run when one is finished. */
export function closedLoop(name: string, once: Operation['once']): Operation {
  return { name, once, load: (seconds, workers) => loop(once, seconds, workers) };
}

async function loop(once: Operation['once'], seconds: number, workers: number): Promise<Load> {
  const latencies: number[] = [];
  const steps = new Map<string, number[]>();
  const step = timing(steps);
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const work = async (worker: number) => {
    while (performance.now() < endsAt) {
      const began = performance.now();
      await once(step, worker);
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return { seconds: (performance.now() - startedAt) / 1000, latencies, steps };
}

function timing(steps: Map<string, number[]>): Step {
  return async (name, work) => {
    const began = performance.now();
    const result = await work();
    const samples = steps.get(name) ?? [];
    samples.push(performance.now() - began);
    steps.set(name, samples);
    return result;
  };
}
