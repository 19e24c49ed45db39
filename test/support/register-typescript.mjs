import { register } from 'node:module';

/** `node --import ./test/support/register-typescript.mjs main.ts` runs the TypeScript source without a build. */
register('./typescript-hooks.mjs', import.meta.url);
