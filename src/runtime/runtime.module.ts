import { Global, Module } from '@nestjs/common';
import { Clock } from './clock.js';
import { Telemetry } from './telemetry.service.js';

/** The clock and telemetry, for everything above. */
@Global()
@Module({
  providers: [Clock, Telemetry],
  exports: [Clock, Telemetry],
})
export class RuntimeModule {}
