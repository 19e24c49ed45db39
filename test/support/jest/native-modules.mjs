import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';

register('../typescript-hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);

const require = createRequire(import.meta.url);
const circus = require('jest-circus/runner');
const eventHandlers = Symbol.for('EVENT_HANDLERS');
let runs = 0;

/**
 * Runs a test file with Jest's own test framework, but has Node import it: packages and sources are loaded once per worker
 * and not once per file. Only the test file and the set-up files are loaded anew.
 */
export default function runTestFile(globalConfig, config, environment, runtime, path, send) {
  runs += 1;
  const query = `?run=${runs}`;
  // Jest's source maps know only what Jest has compiled; without its hook Node uses its own.
  Error.prepareStackTrace = undefined;
  environment.global.jest = runtime.requireModuleOrMock(path, '@jest/globals').jest;
  const modules = {
    // The framework keeps its state in its module, and its listeners at the global object.
    requireInternalModule: (file) => {
      Reflect.deleteProperty(globalThis, eventHandlers);
      Reflect.deleteProperty(require.cache, file);
      return require(file);
    },
    requireModule: require,
    setGlobalsForRuntime: () => undefined,
    unstable_shouldLoadAsEsm: () => true,
    unstable_importModule: (file) => import(`${pathToFileURL(file).href}${query}`),
    enterTestCode: () => undefined,
    leaveTestCode: () => undefined,
  };
  return (circus.default ?? circus)(globalConfig, config, environment, modules, path, send);
}
