/** Runs one step of an operation, as a measurement wants it run. */
export type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** What an operation took under load. */
export interface Load {
  readonly seconds: number;
  /** Milliseconds of each run. */
  readonly latencies: readonly number[];
  /** Milliseconds of each step, by name. */
  readonly steps: ReadonlyMap<string, readonly number[]>;
}

/** Something whose speed is measured. */
export interface Operation {
  readonly name: string;
  /** Runs it once; `worker` tells runs apart that are under way together. */
  once(step: Step, worker: number): Promise<void>;
  /** Runs it as often as possible for some seconds, from so many workers. */
  load(seconds: number, workers: number): Promise<Load>;
}
