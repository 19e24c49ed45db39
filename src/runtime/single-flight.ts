/** One run at a time for each key: who asks while one is under way gets its outcome. */
export class SingleFlight<T> {
  private readonly running = new Map<string, Promise<T>>();

  /** The outcome of the run under way, else of a new one, which can ask whether it was forgotten meanwhile. */
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

  /** The next caller starts anew: what the run under way has read is old. Its own callers still get its outcome. */
  forget(key: string): void {
    this.running.delete(key);
  }
}

/** How a `FreshValue` is read, and how long it stays. */
export interface FreshOptions<T> {
  readonly read: () => Promise<T>;
  readonly milliseconds: number;
  /** See `Clock.elapsed`. */
  readonly elapsed: () => number;
}

/**
 * A value that is read again once it is older than so many milliseconds, by one reading however many ask. Its age counts from before
 * the reading, so that a change is seen within that time after it was made.
 */
export class FreshValue<T> {
  private kept: { readonly value: T; readonly readAt: number } | undefined;
  private reading: Promise<T> | undefined;

  constructor(private readonly options: FreshOptions<T>) {}

  /** @throws what `read` throws; the next call reads again */
  get(): Promise<T> {
    const { kept } = this;
    if (kept !== undefined && this.options.elapsed() - kept.readAt < this.options.milliseconds)
      return Promise.resolve(kept.value);
    this.reading ??= this.read();
    return this.reading;
  }

  /** The next call reads again. A reading under way may have seen what was before the change: it is not kept. */
  forget(): void {
    this.kept = undefined;
    this.reading = undefined;
  }

  private read(): Promise<T> {
    const readAt = this.options.elapsed();
    const reading = this.options
      .read()
      .then((value) => {
        if (this.reading === reading) this.kept = { value, readAt };
        return value;
      })
      .finally(() => {
        if (this.reading === reading) this.reading = undefined;
      });
    return reading;
  }
}
