import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { buildClients, runCompiler } from './build-clients.mjs';
import { buildPages } from './build-pages.mjs';
import { hashOfSources } from './hash-of-sources.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const packed = ['src', 'emulator', 'migrations', 'cli', 'pages/server'].map((folder) => join(dist, folder));
const ofLibrary = ['src', 'migrations'].map((folder) => join(dist, folder));
/** From what starts with the least. */
const chunks = {
  emulator: 'emulator/index.js',
  cli: 'cli/main.js',
  schema: 'cli/commands/migrate.command.js',
  iam: 'src/index.js',
};
/** In `from './x.js'` and `import './x.js'`. */
const staticImports = /\b(?:from|import) +['"](\.{1,2}\/[^'"]+)\.js['"]/g;
/** Those, and `import('./x.js')`. */
const relativeImports = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)\.js['"]/g;
/**
 * A dependency whose code we publish too, without its error texts in fifty languages: those take half of the time that it needs to load.
 * Our declarations still name the package.
 */
const INCLUDED = 'zod';
/** As `src` and `pages/server` call `readAsset` of http/html.ts. */
const assetReads = /\breadAsset\('([^']+)', import\.meta\.url\)/g;

/** All that `dist` depends on, the versions of packages included. */
const sources = {
  folders: [
    'bench',
    'cli',
    'client',
    'emulator',
    'example',
    'migrations',
    'mini-program',
    'pages',
    'scripts',
    'src',
  ],
  files: ['ormconfig.ts', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'],
};
/** Says what `dist` was made of; with it a build that would make the same ends at once. */
const stamp = join(dist, 'made-of.txt');

/** `--no-check` leaves the types to `npm run typecheck`, which takes half of the compiler's time; `--anew` makes all of it in any case. */
const isChecking = !process.argv.includes('--no-check');

const compile = () => runCompiler('-p', 'tsconfig.build.json', ...(isChecking ? [] : ['--noCheck']));

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const programs = ['bench', 'example'].map((folder) => join(dist, folder));

async function modulesIn(folder) {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.js')).map((name) => join(folder, name));
}

/** The modules of the package that somebody imports from outside: by `exports` or `bin`, or one of our own programs. */
async function findEntries() {
  const published = [
    ...Object.values(manifest.exports).map((entry) => entry.default),
    ...Object.values(manifest.bin),
  ];
  const isPacked = (path) => packed.some((folder) => path.startsWith(folder + sep));
  const entries = new Set(
    published
      .filter((path) => path !== undefined)
      .map((path) => join(root, path))
      .filter(isPacked),
  );
  for (const program of [join(dist, 'ormconfig.js'), ...(await Promise.all(programs.map(modulesIn))).flat()])
    for (const [, target] of (await readFile(program, 'utf8')).matchAll(relativeImports)) {
      const path = `${join(dirname(program), target)}.js`;
      if (isPacked(path)) entries.add(path);
    }
  return [...entries];
}

async function addStaticImports(path, reached) {
  if (reached.has(path)) return;
  reached.add(path);
  const code = await readFile(path, 'utf8');
  for (const [, target] of code.matchAll(staticImports))
    await addStaticImports(`${join(dirname(path), target)}.js`, reached);
}

/**
 * The chunk of a module of ours: that of the first of these programs that it belongs to. Left alone, rolldown makes a chunk for each set of
 * programs and commands that share modules, and a host loads nearly all of them.
 */
async function chunkNames() {
  const names = new Map();
  for (const [name, program] of Object.entries(chunks)) {
    const reached = new Set();
    await addStaticImports(join(dist, program), reached);
    for (const path of reached) if (!names.has(path)) names.set(path, name);
  }
  return (id) => (ofLibrary.some((folder) => id.startsWith(folder)) ? (names.get(id) ?? null) : null);
}

/** Joins the modules of the package into few files, which a host loads in half of the time (docs/decisions/0103). */
async function bundle() {
  const input = Object.fromEntries(
    (await findEntries()).map((path) => [relative(dist, path).replace(/\.js$/, ''), path]),
  );
  const compiled = (await Promise.all(packed.map(modulesIn))).flat();
  const ofOthers = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
    (name) => name !== INCLUDED,
  );
  const build = await rolldown({
    input,
    cwd: dist,
    platform: 'node',
    external: (id) => ofOthers.some((name) => id === name || id.startsWith(`${name}/`)),
    onLog(_, log) {
      throw new Error(log.message);
    },
  });
  const { output } = await build.write({
    dir: dist,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    codeSplitting: {
      groups: [
        { name: await chunkNames(), debugName: 'programs' },
        { name: INCLUDED, priority: 1, test: `/node_modules/${INCLUDED}/` },
      ],
    },
    comments: { jsdoc: false },
    keepNames: true,
  });
  const written = new Set(output.map(({ fileName }) => join(dist, fileName)));
  for (const path of compiled) if (!written.has(path)) await rm(path);
  await cp(join(root, 'node_modules', INCLUDED, 'LICENSE'), join(dist, 'chunks', `${INCLUDED}.LICENSE`));
}

async function reach(path, reached) {
  if (reached.has(path)) return;
  reached.add(path);
  const code = await readFile(path, 'utf8');
  for (const [, target] of code.matchAll(relativeImports))
    await reach(`${join(dirname(path), target)}.d.ts`, reached);
}

/**
 * Removes the declarations that no entry of the package reaches: hosts compile against those that one does, and two thirds of
 * what the compiler writes describe our own insides.
 */
async function pruneDeclarations() {
  const entries = Object.values(manifest.exports).flatMap(({ types }) =>
    types === undefined ? [] : [join(root, types)],
  );
  const reached = new Set();
  for (const entry of entries) await reach(entry, reached);
  for (const folder of packed)
    for (const name of await readdir(folder, { recursive: true }))
      if (name.endsWith('.d.ts') && !reached.has(join(folder, name))) await rm(join(folder, name));
}

/** Writes each script and style of a page into the module that reads it: hosts that bundle the package have no other file. */
async function inlineAssets() {
  for (const path of (await Promise.all(packed.map(modulesIn))).flat()) {
    const code = await readFile(path, 'utf8');
    const texts = new Map();
    for (const [call, asset] of code.matchAll(assetReads))
      texts.set(call, await readFile(join(root, relative(dist, dirname(path)), asset), 'utf8'));
    if (texts.size === 0) continue;
    await writeFile(
      path,
      code.replace(assetReads, (call) => JSON.stringify(texts.get(call))),
    );
  }
}

const hash = await hashOfSources(sources);
const made = await readFile(stamp, 'utf8').catch(() => '');
const isMade = made === `${hash} checked` || (made === `${hash} unchecked` && !isChecking);

if (!isMade || process.argv.includes('--anew')) {
  await rm(dist, { recursive: true, force: true });
  // Each writes to folders of its own; in turn they take twice as long.
  await Promise.all([buildPages(), compile(), buildClients()]);
  await inlineAssets();
  await bundle();
  await cp(join(root, 'example', 'public'), join(dist, 'example', 'public'), { recursive: true });
  await pruneDeclarations();
  await writeFile(stamp, `${hash} ${isChecking ? 'checked' : 'unchecked'}`);
}
