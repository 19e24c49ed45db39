import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';

/**
 * Module hooks for what runs outside Jest's own transforms (global setup, child processes): `./x.js` means `./x.ts`,
 * compiled by SWC as Jest does.
 */
export async function resolve(specifier, context, next) {
  if (/\.ts(\?|$)/.test(context.parentURL ?? '') && /^\.{1,2}\/.*\.js$/.test(specifier)) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

/** Compiles what `resolve` has named. */
export async function load(url, context, next) {
  if (!/\.ts(\?|$)/.test(url)) return next(url, context);
  return { source: await compile(fileURLToPath(url)), format: 'module', shortCircuit: true };
}

/** The JavaScript of a TypeScript file. */
export async function compile(path, sourceMaps = 'inline') {
  const { code } = await transformFile(path, {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
      target: 'es2022',
    },
    module: { type: 'es6' },
    sourceMaps,
  });
  return code;
}
