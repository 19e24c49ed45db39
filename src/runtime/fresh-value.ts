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
