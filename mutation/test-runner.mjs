import { resolve } from 'node:path';
import { commonTokens, declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { mixinJestEnvironment, strykerPlugins as plugins } from '@stryker-mutator/jest-runner';

export { strykerValidationSchema } from '@stryker-mutator/jest-runner';

const [{ factory: jest }] = plugins;

/**
 * Stryker's runner for Jest where test files share what they import (docs/decisions/0091). Jest loads no module a second time there, so
 * that a mutant of what a module does when it is loaded needs a new process, and each mutant is chosen in the modules that are loaded.
 */
function sharedModules(injector) {
  // Relative, Stryker would find the environment of the original and Jest the one of the copy that has the mutants.
  const { config } = injector.resolve(commonTokens.options).jest;
  config.testEnvironment = resolve('test/support/jest/shared-realm.mjs');
  const runner = jest(injector);
  const context = contextOfMutants();
  return {
    capabilities: () => ({ reloadEnvironment: false }),
    init: () => runner.init(),
    dryRun: (options) => runner.dryRun(options),
    mutantRun(options) {
      context.activeMutant = options.activeMutant.id;
      return runner.mutantRun(options);
    },
  };
}
sharedModules.inject = jest.inject;

/** What the mutated modules read; Stryker hands it out through the environment of a test. */
function contextOfMutants() {
  const Environment = mixinJestEnvironment(
    class {
      global = globalThis;
    },
  );
  new Environment({}, { testPath: '' });
  return globalThis.__stryker__;
}

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'jest-shared', sharedModules)];
