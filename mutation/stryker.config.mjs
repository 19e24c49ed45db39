import { fileURLToPath } from 'node:url';
import { groups } from './groups.mjs';

const name = process.env.MUTATION_GROUP;
const { mutate, specs } = groups[name];
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

export default {
  mutate,
  plugins: [here('test-runner.mjs')],
  testRunner: 'jest-shared',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: {
    configFile: 'jest.config.js',
    enableFindRelatedTests: false,
    config: {
      testMatch: specs.map((pattern) => `<rootDir>/${pattern}`),
      testRunner: '<rootDir>/mutation/jest-circus.mjs',
      setupFilesAfterEnv: ['<rootDir>/mutation/set-up.mjs', '<rootDir>/test/support/setup-test-file.ts'],
      globalSetup: null,
      globalTeardown: null,
    },
  },
  coverageAnalysis: 'perTest',
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 2),
  timeoutMS: 10_000,
  dryRunTimeoutMinutes: 5,
  ignorePatterns: ['/dist', '/bench', '/mutation/node_modules', '/mutation/reports', '/.git', '/docs'],
  tempDirName: 'mutation/sandbox',
  incremental: true,
  incrementalFile: `mutation/reports/${name}.incremental.json`,
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportScoreTable: true },
  jsonReporter: { fileName: `mutation/reports/${name}.json` },
  // run.mjs decides, file by file.
  thresholds: { high: 100, low: 95, break: null },
  allowConsoleColors: false,
};
