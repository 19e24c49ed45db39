import { Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import { ClockSync } from '../database/clock-sync.service.js';
import { isInWindow, type RawQuery } from './signed-query.js';

/**
 * What time it is when a push arrives. Where PostgreSQL's clock has been set since it was last read, every push would be
 * refused, or old ones taken: a timestamp out of the window has it read again.
 */
@Injectable()
export class PushTime {
  constructor(
    private readonly clock: Clock,
    private readonly sync: ClockSync,
  ) {}

  /** Milliseconds since the Unix epoch, to compare the query's timestamp with. */
  async now({ timestamp }: RawQuery): Promise<number> {
    const now = this.clock.now();
    if (typeof timestamp !== 'string' || isInWindow(timestamp, now)) return now;
    await this.sync.doubt();
    return this.clock.now();
  }
}
