/** One request that reached the platform. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** When, by the emulator's clock. */
  readonly at: Date;
}

/** What reached the platform, oldest first; the emulator's own control and phone pages are left out. */
export class CallLog {
  readonly #calls: Call[] = [];

  constructor(private readonly capacity = 20_000) {}

  record(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > this.capacity) this.#calls.splice(0, this.capacity / 2);
  }

  to(path?: string): readonly Call[] {
    return this.#calls.filter((call) => path === undefined || call.path === path);
  }

  clear(): void {
    this.#calls.length = 0;
  }
}
