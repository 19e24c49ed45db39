import { Global, Module } from '@nestjs/common';
import { Clock } from './clock.js';
import { meterProvider, Telemetry } from './telemetry.service.js';

/** The clock and telemetry, for everything above. */
@Global()
@Module({ providers: [Clock, meterProvider, Telemetry], exports: [Clock, Telemetry] })
export class RuntimeModule {}
