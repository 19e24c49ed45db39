/** The time every expiry in the emulator goes by: real time, until a test moves it. */
export class EmulatorClock {
  #offset = 0;
  readonly #listeners = new Set<() => void>();

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#offset;
  }

  /** Whole seconds since the epoch, the unit of WeChat's own timestamps. */
  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** Moves the clock forward (or back) and lets it run on. */
  advance(seconds: number): void {
    this.#offset += seconds * 1000;
    this.#announce();
  }

  /** Sets the clock to a moment (milliseconds since the epoch, or a date) and lets it run on. */
  set(moment: number | Date): void {
    this.#offset = Number(moment) - Date.now();
    this.#announce();
  }

  /** Calls the listener after each jump, so that whoever waits can look again; returns the way to stop it. */
  onJump(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #announce(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
