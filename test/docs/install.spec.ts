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
  it('loads few files, and neither the client of WeChat nor the QR code before they are used', () => {
    const modules = reach(['src/index.js']);
    const imported = modules.flatMap(({ code }) =>
      [...code.matchAll(/^import .*?['"]([^.'"][^'"]*)['"];$/gm)].map(([, name]) => name),
    );

    expect(modules.length).toBeLessThanOrEqual(30);
    expect(imported).toContain('zod');
    expect(imported.filter((name) => name === 'undici' || name === 'qrcode')).toEqual([]);
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
