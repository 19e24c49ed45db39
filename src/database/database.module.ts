import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { Forgeries } from './forgeries.service.js';
import { ClockSync } from './clock-sync.service.js';
import { HookRunner } from './hook-runner.js';
import { PreparedStatements } from './prepared-statements.js';
import { RateLimits } from './rate-limits.service.js';

/** Rate limits, prepared statements, the clock of PostgreSQL and the host’s hooks. */
@Global()
@Module({
  imports: [RuntimeModule],
  providers: [RateLimits, Forgeries, ClockSync, HookRunner, PreparedStatements],
  exports: [RateLimits, Forgeries, ClockSync, HookRunner, PreparedStatements],
})
export class DatabaseModule {}
