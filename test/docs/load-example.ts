import { mkdir, rm, writeFile } from 'node:fs/promises';
import { root, type Example } from './pages.js';

/** Loads a TypeScript example into this process; the package's name means its sources. */
export async function loadExample({ name, code }: Example): Promise<Readonly<Record<string, unknown>>> {
  const folder = `${root}test/output/example-${process.pid}`;
  const file = `${folder}/${name}.ts`;
  await mkdir(folder, { recursive: true });
  await writeFile(file, code.replaceAll(`'nestjs-wechat-iam'`, `'../../../src/index.js'`));
  try {
    const module: unknown = await import(file);
    if (typeof module !== 'object' || module === null) throw new TypeError('not a module');
    return { ...module };
  } finally {
    await rm(file);
  }
}
