/** One run at a time for each key: concurrent callers share its outcome. */
export class SingleFlight<T> {
  private readonly running = new Map<string, Promise<T>>();

  /** The outcome of the run under way, else of a new one; `isCurrent` is false in a run that was forgotten meanwhile. */
  run(key: string, start: (isCurrent: () => boolean) => Promise<T>): Promise<T> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const isCurrent = (): boolean => this.running.get(key) === started;
    const started = start(isCurrent).finally(() => {
      if (isCurrent()) this.running.delete(key);
    });
    this.running.set(key, started);
    return started;
  }

  /** The next caller starts a new run, since the one under way has read old state. Its own callers still get its outcome. */
  forget(key: string): void {
    this.running.delete(key);
  }
}

interface FreshOptions<T> {
  readonly read: () => Promise<T>;
  readonly milliseconds: number;
  /** See `Clock.elapsed`. */
  readonly elapsed: () => number;
}

/**
 * A value that is read again once it is older than so many milliseconds. Concurrent callers share one reading. Its age counts
 * from before the reading, so that a change is seen within that time after it was made.
 */
export class FreshValue<T> {
  private kept: { readonly value: T; readonly readAt: number } | undefined;
  private readonly reading = new SingleFlight<T>();

  constructor(private readonly options: FreshOptions<T>) {}

  /** @throws what `read` throws; the next call reads again */
  async get(): Promise<T> {
    const { elapsed, milliseconds } = this.options;
    if (this.kept !== undefined && elapsed() - this.kept.readAt < milliseconds) return this.kept.value;
    return this.reading.run('', async (isCurrent) => {
      const readAt = elapsed();
      const value = await this.options.read();
      if (isCurrent()) this.kept = { value, readAt };
      return value;
    });
  }

  /** The next call reads again. A reading under way may have missed the change and is not kept. */
  forget(): void {
    this.kept = undefined;
    this.reading.forget('');
  }
}

interface FreshValuesOptions {
  readonly milliseconds: number;
  /** More values than this are not kept: those read longest ago go first. */
  readonly most: number;
  /** See `Clock.elapsed`. */
  readonly elapsed: () => number;
}

/** As `FreshValue`, for each key by itself. Nothing is kept for longer than it is believed. */
export class FreshValues<T> {
  /** Oldest read first. */
  private readonly kept = new Map<string, { readonly value: T; readonly readAt: number }>();
  private readonly reading = new SingleFlight<T>();

  constructor(private readonly options: FreshValuesOptions) {}

  /** How many values are in memory. */
  get size(): number {
    return this.kept.size;
  }

  /** @throws what `read` throws; the next call reads again */
  get(key: string, read: () => Promise<T>): Promise<T> {
    const kept = this.kept.get(key);
    if (kept !== undefined && this.isFresh(kept)) return Promise.resolve(kept.value);
    const readAt = this.options.elapsed();
    return this.reading.run(key, async (isCurrent) => {
      const value = await read();
      if (isCurrent()) this.keep(key, { value, readAt });
      return value;
    });
  }

  /** The next call reads again, and a reading under way is not kept. */
  forget(key: string): void {
    this.kept.delete(key);
    this.reading.forget(key);
  }

  private keep(key: string, read: { readonly value: T; readonly readAt: number }): void {
    this.kept.delete(key);
    this.kept.set(key, read);
    for (const [oldest, each] of this.kept) {
      if (this.kept.size <= this.options.most && this.isFresh(each)) return;
      this.kept.delete(oldest);
    }
  }

  private isFresh({ readAt }: { readonly readAt: number }): boolean {
    return this.options.elapsed() - readAt < this.options.milliseconds;
  }
}
