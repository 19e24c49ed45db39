type Close = () => Promise<void>;

/** npm passes Ctrl-C on to its child, which has already had it from the terminal: that is not a second one. */
const SECOND_SIGNAL_MS = 1_000;

/** Thrown out of a start that a signal has ended. */
export class Interrupted extends Error {}

/** What has been started, to be closed in reverse order: at a failed start, or when SIGINT, SIGTERM or SIGHUP comes. */
export class Lifetime {
  private readonly opened: Close[] = [];
  private started = false;
  private signalAt: number | undefined;

  constructor(private readonly exit: (code: number) => void) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.onSignal());
  }

  /** Notes how to close what has just been opened. */
  onClose(close: Close): void {
    this.opened.push(close);
    this.goOn();
  }

  /** Ends a start that is no longer wanted. */
  goOn(): void {
    if (this.signalAt !== undefined) throw new Interrupted();
  }

  /** From now on a signal closes everything and exits. */
  startCompleted(): void {
    this.goOn();
    this.started = true;
  }

  /** Closes what was opened, last first; one failure does not keep the rest open. */
  async close(): Promise<void> {
    for (let close = this.opened.pop(); close !== undefined; close = this.opened.pop()) {
      await close().catch((error: unknown) => console.error(error));
    }
  }

  private onSignal(): void {
    const now = performance.now();
    if (this.signalAt !== undefined) {
      if (now - this.signalAt > SECOND_SIGNAL_MS) this.exit(130);
      return;
    }
    this.signalAt = now;
    if (this.started) void this.close().then(() => this.exit(0));
  }
}
