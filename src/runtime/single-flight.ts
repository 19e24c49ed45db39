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
