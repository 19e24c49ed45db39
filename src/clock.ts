import { Injectable } from '@nestjs/common';

/**
 * Where time enters what this process decides by itself: sealed cookies, JWTs, caches.
 * Rows expire by PostgreSQL's clock, which all replicas share.
 */
@Injectable()
export class Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number {
    return Date.now();
  }
}
