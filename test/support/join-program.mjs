import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hashOfSources } from '../../scripts/hash-of-sources.mjs';
import { compile } from './typescript-hooks.mjs';

const root = join(import.meta.dirname, '../..');
const cache = join(root, 'node_modules', '.cache', 'iam-programs');
/** What the programs are made of, and what makes them. */
const sources = {
  folders: ['src', 'migrations', 'emulator', 'cli', 'example', 'pages/server', 'test/support'],
  isWanted: (path) => /\.(m?ts|mjs)$/.test(path),
  files: ['package-lock.json'],
};

const made = new Map();

/**
 * Where the program with this TypeScript source is as few modules of JavaScript, which a process loads in a fraction of the time that
 * the many files of the source take. It is kept until something of it changes.
 */
export function joinProgram(source) {
  const path = made.get(source) ?? findOrJoin(source);
  made.set(source, path);
  return path;
}

async function findOrJoin(source) {
  const name = relative(root, source).replace(/\W+/g, '-');
  const kept = join(cache, `${name}-${(await hashOfSources(sources)).slice(0, 16)}`);
  if (!existsSync(kept)) await joinInto(kept, source);
  return join(kept, 'main.js');
}

/** Renamed when it is whole: another worker may look for it, or make the same. */
async function joinInto(folder, source) {
  const { rolldown } = await import('rolldown');
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  const build = await rolldown({
    input: { main: source },
    cwd: root,
    platform: 'node',
    // rolldown brings helpers of its own.
    external: (id) => !/^([./]|@oxc-project\/)/.test(id),
    tsconfig: false,
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    plugins: [{ name: 'typescript', load: loadTypeScript }],
  });
  await build.write({ dir: draft, format: 'es', keepNames: true });
  await build.close();
  await rename(draft, folder).catch(() => rm(draft, { recursive: true }));
}

/** A file goes on to know where its source is: it finds others from there. */
async function loadTypeScript(path) {
  if (!path.endsWith('.ts')) return null;
  const code = await compile(path, false);
  const places = { url: pathToFileURL(path).href, dirname: join(path, '..'), filename: path };
  const placed = code.replace(/\bimport\.meta\.(url|dirname|filename)\b/g, (_all, name) =>
    JSON.stringify(places[name]),
  );
  return { code: placed, moduleType: 'js' };
}
