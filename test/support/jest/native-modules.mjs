import asyncHooks from 'node:async_hooks';
import { createRequire, findSourceMap, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import SharedRealm from './shared-realm.mjs';

register('../typescript-hooks.mjs', import.meta.url);
// The example imports the package by its name.
register('../../docs/self-hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);

const require = createRequire(import.meta.url);
const { default: circus } = require('jest-circus/runner');
const eventHandlers = Symbol.for('EVENT_HANDLERS');
const { AsyncLocalStorage } = asyncHooks;
let runs = 0;
/** Those of the framework. */
const storages = [];

/**
 * Runs a test file with Jest's own test framework, but has Node import it: packages and sources are loaded once per worker
 * and not once per file. Only the test file and the set-up files are loaded anew. A file that changes what lives as long as the
 * process says `@jest-environment node` in its first comment: it has a realm and modules of its own, as Jest does it.
 */
export default async function runTestFile(globalConfig, config, environment, runtime, path, send) {
  const run = (modules) => circus(globalConfig, config, environment, modules, path, send);
  if (!(environment instanceof SharedRealm)) return run(runtime);
  runs += 1;
  const query = `?run=${runs}`;
  environment.global.jest = runtime.requireModuleOrMock(path, '@jest/globals').jest;
  // Jest's knows only the source maps of what Jest has compiled.
  Error.prepareStackTrace = (error, frames) =>
    [Error.prototype.toString.call(error), ...frames.map(inSource)].join('\n    at ');
  const result = await run({
    // The framework keeps its state in its module, and its listeners at the global object.
    requireInternalModule: (file) => {
      Reflect.deleteProperty(globalThis, eventHandlers);
      Reflect.deleteProperty(require.cache, file);
      return watchingStorages(() => require(file));
    },
    requireModule: require,
    setGlobalsForRuntime: () => undefined,
    unstable_shouldLoadAsEsm: () => true,
    unstable_importModule: (file) => import(`${pathToFileURL(file).href}${query}`),
    enterTestCode: () => undefined,
    leaveTestCode: () => undefined,
  });
  forgetFramework();
  return result;
}

/** Notes which storages the modules make that `load` loads. */
function watchingStorages(load) {
  asyncHooks.AsyncLocalStorage = class extends AsyncLocalStorage {
    constructor(...options) {
      super(...options);
      storages.push(this);
    }
  };
  try {
    return load();
  } finally {
    asyncHooks.AsyncLocalStorage = AsyncLocalStorage;
  }
}

/** Until Node 24 each storage costs every promise of the process, and the state holds all that a file's tests hold. */
function forgetFramework() {
  for (const storage of storages.splice(0)) storage.disable();
  for (const key of Object.getOwnPropertySymbols(globalThis))
    if (key.description === 'JEST_STATE_SYMBOL') Reflect.deleteProperty(globalThis, key);
}

/** A stack's line with the position in the TypeScript source. Node's own way to write it leaves out the class of a method. */
function inSource(frame) {
  const text = String(frame).replace(/\?run=\d+/, '');
  const file = frame.getFileName();
  // What is not an ES module was no TypeScript, and to look for its map takes long.
  const map = file?.startsWith('file:') ? findSourceMap(file) : undefined;
  const entry = map?.findEntry(frame.getLineNumber() - 1, frame.getColumnNumber() - 1);
  if (entry?.originalLine === undefined) return text;
  return text.replace(/:\d+:\d+(?=\)?$)/, `:${entry.originalLine + 1}:${entry.originalColumn + 1}`);
}
