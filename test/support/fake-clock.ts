import { Clock } from '../../src/clock.js';

/** The module's clock, stopped at the present until a test moves it. */
export class FakeClock extends Clock {
  private time = Date.now();

  override now(): number {
    return this.time;
  }

  advance(seconds: number): void {
    this.time += seconds * 1000;
  }
}
