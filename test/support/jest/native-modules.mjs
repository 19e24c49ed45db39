import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import SharedRealm from './shared-realm.mjs';

register('../typescript-hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);

const require = createRequire(import.meta.url);
const { default: circus } = require('jest-circus/runner');
const eventHandlers = Symbol.for('EVENT_HANDLERS');
let runs = 0;

/**
 * Runs a test file with Jest's own test framework, but has Node import it: packages and sources are loaded once per worker
 * and not once per file. Only the test file and the set-up files are loaded anew. A file that changes what lives as long as the
 * process says `@jest-environment node` in its first comment: it has a realm and modules of its own, as Jest does it.
 */
export default function runTestFile(globalConfig, config, environment, runtime, path, send) {
  if (!(environment instanceof SharedRealm))
    return circus(globalConfig, config, environment, runtime, path, send);
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
  return circus(globalConfig, config, environment, modules, path, send);
}
