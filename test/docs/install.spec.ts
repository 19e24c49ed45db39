import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Range, minVersion, satisfies } from 'semver';
import { z } from 'zod';

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));

const manifest = z
  .object({ engines: z.object({ node: z.string() }), allowScripts: z.record(z.string(), z.boolean()) })
  .parse(read('package.json'));

const installed = z.object({
  engines: z.union([z.object({ node: z.string().optional() }), z.array(z.string())]).optional(),
  hasInstallScript: z.boolean().optional(),
  deprecated: z.string().optional(),
  dev: z.boolean().optional(),
});
const lock = z.object({ packages: z.record(z.string(), installed) }).parse(read('package-lock.json'));
const packages = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ name: path.split('node_modules/').at(-1) ?? path, ...entry }));

const oldestNodes = manifest.engines.node.split('||').map((line) => String(minVersion(new Range(line))));

describe('npm ci', () => {
  it.each(oldestNodes)('installs no package that asks for a later Node than %s', (node) => {
    const refusing = packages
      .map(({ name, engines }) => ({ name, range: Array.isArray(engines) ? undefined : engines?.node }))
      .filter(({ range }) => range !== undefined && !satisfies(node, range));

    expect(refusing).toEqual([]);
  });

  it('runs no install script, and every package that has one is listed as refused', () => {
    const scripted = packages.filter(({ hasInstallScript }) => hasInstallScript === true);
    const refused = Object.fromEntries(scripted.map(({ name }) => [name, false]));

    expect(manifest.allowScripts).toEqual(refused);
  });

  it('installs no deprecated package', () => {
    const deprecated = packages.filter((entry) => entry.deprecated !== undefined).map(({ name }) => name);

    expect(deprecated).toEqual([]);
  });
});

describe('an application that installs the package', () => {
  it('gets no package with an install script', () => {
    const theirs = packages.filter(({ dev, hasInstallScript }) => dev !== true && hasInstallScript === true);

    expect(theirs).toEqual([]);
  });
});

describe('an application that bundles the package', () => {
  it('needs no file beside the modules, whose place a bundle does not know', () => {
    const modules = reach(['src/index.js', 'src/openapi/describe-iam.js']);
    const placed = modules.filter(({ code }) => code.includes('import.meta')).map(({ path }) => path);

    expect(modules.length).toBeGreaterThan(2);
    expect(placed).toEqual([]);
  });
});

describe('an application that imports the package', () => {
  it('loads few files, and nothing that a start does not use', () => {
    const modules = reach(['src/index.js']);
    const imported = modules.flatMap(({ code }) =>
      [...code.matchAll(/^import .*?['"]([^.'"][^'"]*)['"];$/gm)].map(([, name]) => name),
    );

    // Those of `dist/chunks`: emulator, command line, its migrations, the module, zod, and what rolldown adds.
    expect(modules.length).toBeLessThanOrEqual(8);
    expect(imported).toContain('jose/jwt/verify');
    expect(imported).toContain('@nestjs/common');
    const unused = ['undici', 'qrcode', 'pg', 'zod', 'jose', '@opentelemetry/api'];
    expect(imported.filter((name) => name !== undefined && unused.includes(name))).toEqual([]);
  });

  it('loads zod without its error texts in other languages, and has its licence', () => {
    const zod = readFileSync(new URL('../../dist/chunks/zod.js', import.meta.url), 'utf8');
    const licence = readFileSync(new URL('../../dist/chunks/zod.LICENSE', import.meta.url), 'utf8');

    expect(zod.length).toBeLessThan(250_000);
    expect(zod).not.toContain('无效输入');
    expect(licence).toContain('MIT License');
  });
});

/** The built modules that these load at once, themselves included. */
function reach(entries: readonly string[]) {
  const dist = new URL('../../dist/', import.meta.url);
  const reached = new Map<string, string>();
  const read = (path: string) => {
    if (reached.has(path)) return;
    const code = readFileSync(path, 'utf8');
    reached.set(path, code);
    for (const [, target = ''] of code.matchAll(/^(?:import|export) .*?['"](\.{1,2}\/[^'"]+)['"];$/gm))
      read(fileURLToPath(new URL(target, pathToFileURL(path))));
  };
  for (const entry of entries) read(fileURLToPath(new URL(entry, dist)));
  return [...reached].map(([path, code]) => ({ path, code }));
}
