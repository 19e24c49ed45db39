import { readdirSync, readFileSync } from 'node:fs';
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
    const dist = new URL('../../dist/src/', import.meta.url);
    const modules = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    );
    const placed = modules.filter((name) =>
      readFileSync(new URL(name, dist), 'utf8').includes('import.meta'),
    );

    expect(modules.length).toBeGreaterThan(0);
    expect(placed).toEqual([]);
  });
});
