// Stryker counts coverage by test only where the name of Jest's runner says that it is jest-circus, which this one calls.
export { default } from '../test/support/jest/native-modules.mjs';
