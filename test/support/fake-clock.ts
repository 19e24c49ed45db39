import { Clock } from '../../src/runtime/clock.js';

/** The module's clock, stopped at the present until a test moves it. */
export class FakeClock extends Clock {
  private time = Date.now();
  private age = 0;

  override now(): number {
    return this.time;
  }

  override elapsed(): number {
    return this.age;
  }

  /** Lets time pass; a negative number sets the clock back, which makes nothing in memory younger. */
  advance(seconds: number): void {
    this.time += seconds * 1000;
    this.age += Math.max(0, seconds) * 1000;
  }
}

/** The module's clock on a machine whose system clock is wrong. */
export class SkewedClock extends Clock {
  private passed = 0;

  constructor(private readonly seconds: number) {
    super();
  }

  override system(): number {
    return Date.now() + this.seconds * 1000;
  }

  override elapsed(): number {
    return super.elapsed() + this.passed;
  }

  /** Makes what is in memory older. */
  pass(seconds: number): void {
    this.passed += seconds * 1000;
  }
}
