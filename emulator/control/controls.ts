import type { CallLog } from '../calls.js';
import type { EmulatorClock } from '../clock.js';
import type { FaultRegistry } from '../faults.js';
import type { Platform } from '../platform.js';
import type { Population } from '../population.js';
import type { EmulatorRules } from '../rules.js';

/** Everything that can be moved behind the scene. Platform and people are new after a reset. */
export interface Controls {
  readonly platform: Platform;
  readonly population: Population;
  readonly faults: FaultRegistry;
  readonly calls: CallLog;
  readonly clock: EmulatorClock;
  readonly rules: EmulatorRules;
  readonly reset: () => void;
}
