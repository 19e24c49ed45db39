/** When a breaker opens, and for how long. */
export interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long nobody is let through, in milliseconds; then one call is, to try. */
  readonly openMs: number;
  /** Milliseconds of a clock that only runs forward. */
  readonly now: () => number;
}

/**
 * Keeps calls from a host that does not answer, so that people and connections do not wait for nothing. Only failures of the
 * connection count: whoever answers, with whatever, is there.
 */
export class CircuitBreaker {
  private failures = 0;
  private closedAgainAt = Number.NEGATIVE_INFINITY;
  private isTrying = false;

  constructor(private readonly settings: BreakerSettings) {}

  /** False while calls are kept back. */
  get isClosed(): boolean {
    return this.failures < this.settings.failures;
  }

  /** Asks to make a call, whose end must be reported. Null: go on; else milliseconds to wait. */
  enter(): number | null {
    if (this.isClosed) return null;
    const remaining = this.closedAgainAt - this.settings.now();
    if (remaining > 0) return remaining;
    if (this.isTrying) return this.settings.openMs;
    this.isTrying = true;
    return null;
  }

  /** A call was answered. */
  succeeded(): void {
    this.failures = 0;
    this.isTrying = false;
  }

  /** A call was not. */
  failed(): void {
    this.failures += 1;
    this.isTrying = false;
    if (!this.isClosed) this.closedAgainAt = this.settings.now() + this.settings.openMs;
  }
}
