import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { ClockSync } from './clock-sync.service.js';
import { HookRunner } from './hook-runner.js';
import { RateLimits } from './rate-limits.service.js';

/** Rate limits, the clock of PostgreSQL and the host’s hooks. */
@Global()
@Module({
  imports: [RuntimeModule],
  providers: [RateLimits, ClockSync, HookRunner],
  exports: [RateLimits, ClockSync, HookRunner],
})
export class DatabaseModule {}
