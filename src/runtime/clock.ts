import { Injectable } from '@nestjs/common';

/**
 * The one source of time for everything that this process decides by itself: sealed cookies, JWTs, caches.
 * Rows expire by PostgreSQL's clock, which all replicas share; `ClockSync` keeps this one in step with it.
 */
@Injectable()
export class Clock {
  /** The time at one moment of the monotonic clock. */
  private anchor: { readonly time: number; readonly at: number } | undefined;

  /**
   * Whole milliseconds since the Unix epoch, by PostgreSQL's clock once that has been read, not by the system's: an
   * operator who sets the system's clock changes nothing here.
   */
  now(): number {
    return Math.floor(this.exact());
  }

  /** Milliseconds since the Unix epoch by the system's clock. */
  system(): number {
    return Date.now();
  }

  /** Milliseconds since some moment, for the age of a value in memory: no correction makes it jump. */
  elapsed(): number {
    return performance.now();
  }

  /** Continues from the middle of the two, or from the present time if it lies between them. */
  correct(earliest: number, latest: number): void {
    const now = this.exact();
    const isRight = now >= earliest && now <= latest;
    this.anchor = { time: isRight ? now : (earliest + latest) / 2, at: performance.now() };
  }

  private exact(): number {
    if (this.anchor === undefined) return this.system();
    return this.anchor.time + performance.now() - this.anchor.at;
  }
}
