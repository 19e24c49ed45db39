import { Injectable } from '@nestjs/common';

/** The time at one moment of the monotonic clock. */
interface Anchor {
  readonly time: number;
  readonly at: number;
}

/**
 * Where time enters what this process decides by itself: sealed cookies, JWTs, caches.
 * Rows expire by PostgreSQL's clock, which all replicas share; `ClockSync` keeps this one in step with it.
 */
@Injectable()
export class Clock {
  private anchor: Anchor | undefined;

  /**
   * Whole milliseconds since the Unix epoch, by PostgreSQL's clock once that has been read, and no longer by the system's: an
   * operator who sets the system's clock right moves nothing here.
   */
  now(): number {
    return Math.floor(this.exact());
  }

  /** Milliseconds since the Unix epoch by the system's clock. */
  system(): number {
    return Date.now();
  }

  /** Milliseconds since some moment, to tell how old something in memory is: no correction makes it jump. */
  elapsed(): number {
    return performance.now();
  }

  /** Goes on from the time that lies between the two, which is the present one where that does. */
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
