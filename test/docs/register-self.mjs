import { register } from 'node:module';

/** As register-typescript.mjs; besides, the package's own name means its sources, so that no build is needed. */
register('../support/typescript-hooks.mjs', import.meta.url);
register('./self-hooks.mjs', import.meta.url);
