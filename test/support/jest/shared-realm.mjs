import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

/** Test files run in the worker's own realm, so that what one of them has imported is there for the next. */
export default class SharedRealm {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  // Jest wraps both for each file: without the originals, file by file, they would call one another.
  #originals = { console: globalThis.console, exit: process.exit };

  constructor({ projectConfig }) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  async setup() {}

  async teardown() {
    this.fakeTimersModern.dispose();
    globalThis.console = this.#originals.console;
    process.exit = this.#originals.exit;
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  getVmContext() {
    return null;
  }
}
