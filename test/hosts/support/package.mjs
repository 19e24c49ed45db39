import assert from 'node:assert/strict';
import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';

const sources = [
  'src',
  'migrations',
  'emulator',
  'cli',
  'pages',
  'client',
  'mini-program',
  'example',
  'scripts',
  'package.json',
  'tsconfig.build.json',
];
/** What a user runs, compiles against or reads. */
const welcome =
  /^(dist\/(src|emulator|migrations|pages\/server|client|mini-program|commonjs)\/.+(?<!\.spec)\.(js|d\.ts)|dist\/(cli|chunks)\/.+\.js|dist\/commonjs\/package\.json|dist\/chunks\/[\w-]+\.LICENSE|(docs\/(guides\/|reference\/)?[\w.-]+|emulator\/README|README(\.zh-CN)?)\.md|LICENSE|package\.json)$/;
/** More files than this are a mistake, or a decision to be taken here. */
const mostFiles = 365;

/** In `import … from 'x';`, `import 'x';`, `export … from 'x';` and `import('x')`. */
const specifiers = /(?:^(?:import|export)\b(?:[^'"`;]*\bfrom)?\s*|\bimport\()['"]([^'"\n]+)['"]/gm;

async function newest(path) {
  const { mtimeMs } = await stat(path);
  const inside = await readdir(path, { recursive: true }).catch(() => []);
  const times = await Promise.all(inside.map(async (each) => (await stat(join(path, each))).mtimeMs));
  return Math.max(mtimeMs, ...times);
}

/** True when `dist` is older than what it is built from, or not there. */
async function isStale(root) {
  const built = await stat(join(root, 'dist/src/index.js')).catch(() => null);
  const changes = await Promise.all(sources.map((path) => newest(join(root, path))));
  return built === null || Math.max(...changes) > built.mtimeMs;
}

/** Packs what `npm publish` would send, into `package.tgz` of the workspace; returns the paths in it. */
export async function packPackage(root, workspace) {
  if (await isStale(root)) await workspace.run('npm', ['run', 'build'], { cwd: root });
  const { folder } = workspace;
  const flags = ['--ignore-scripts', '--json', '--loglevel=error', `--pack-destination=${folder}`];
  const output = await workspace.run('npm', ['pack', ...flags], { cwd: root });
  const [packed] = JSON.parse(output);
  await rename(join(folder, packed.filename), join(folder, 'package.tgz'));
  return packed.files.map(({ path }) => path);
}

/** The paths that `exports`, `types` and `bin` name. */
function targets(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')];
  return Object.values(value ?? {}).flatMap(targets);
}

/** Nothing a user does not need, everything that package.json promises, and no import that is not installed with it. */
export async function checkContents(root, files) {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const { exports, types, bin, typesVersions } = manifest;
  const promised = [exports, types, bin, typesVersions]
    .flatMap(targets)
    .filter((path) => !path.includes('*'));
  const documents = [
    'README.md',
    'README.zh-CN.md',
    'LICENSE',
    'docs/cli.md',
    'docs/guides/front-end.md',
    'emulator/README.md',
  ];
  assert.deepEqual(
    {
      unwelcome: files.filter((path) => !welcome.test(path)),
      missing: [...promised, ...documents].filter((path) => !files.includes(path)),
      undeclared: await findUndeclaredImports(root, files, manifest),
      deadLinks: await findDeadLinks(root, files),
    },
    { unwelcome: [], missing: [], undeclared: [], deadLinks: [] },
  );
  assert.ok(files.length <= mostFiles, `${files.length} files are more than ${mostFiles}`);
  for (const path of targets(bin))
    assert.match(await readFile(join(root, path), 'utf8'), /^#!\/usr\/bin\/env node\n/, `${path} cannot run`);
}

/** A registry's page and an installed copy have the tarball alone: a link leads to a file in it, or says where it leads. */
async function findDeadLinks(root, files) {
  const found = [];
  for (const path of files.filter((each) => each.endsWith('.md'))) {
    const text = await readFile(join(root, path), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#)/.test(target)) continue;
      const leadsTo = normalize(join(dirname(path), target.replace(/#.*/, '')));
      if (!files.includes(leadsTo)) found.push(`${target} in ${path}`);
    }
  }
  return found;
}

/** A development dependency, or the types of one, would be missing at the user's. */
async function findUndeclaredImports(root, files, { name: self, dependencies, peerDependencies }) {
  const declared = new Set([self, ...Object.keys({ ...dependencies, ...peerDependencies })]);
  const found = new Set();
  for (const path of files.filter((each) => /\.(js|d\.ts)$/.test(each))) {
    const code = await readFile(join(root, path), 'utf8');
    const hasTypes = (name) => path.endsWith('.d.ts') && declared.has(`@types/${name}`);
    for (const [, specifier] of code.matchAll(specifiers)) {
      if (specifier.startsWith('.') || isBuiltin(specifier)) continue;
      const [name] = /^(@[^/]+\/)?[^/]+/.exec(specifier) ?? [specifier];
      if (!declared.has(name) && !hasTypes(name)) found.add(`${specifier} in ${path}`);
    }
  }
  return [...found];
}
