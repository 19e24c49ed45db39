/** SWC because Nest's dependency injection needs decorator metadata. */
const swc = [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
      target: 'es2022',
    },
    module: { type: 'es6' },
    sourceMaps: 'inline',
  },
];

export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  // Test files share what they import (docs/decisions/0091). Without these two lines each imports everything anew.
  testEnvironment: '<rootDir>/test/support/jest/shared-realm.mjs',
  testRunner: '<rootDir>/test/support/jest/native-modules.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/test/hosts/apps'],
  transform: { '^.+\\.ts$': swc },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  setupFilesAfterEnv: ['<rootDir>/test/support/setup-test-file.ts'],
  // No test is about its own speed, and the machine may be busy.
  testTimeout: 60_000,
  // One more than the cores of the smallest machine: stories that wait leave theirs to another.
  maxWorkers: 3,
  workerIdleMemoryLimit: '1500MB',
};
