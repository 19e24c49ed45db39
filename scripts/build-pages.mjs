// Builds pages/ with Vite into dist/pages/ui.json, which pages/server reads; `npm run build:pages` does it alone.
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzipSync } from 'node:zlib';
import { build } from 'vite';
import { hashOfSources } from './hash-of-sources.mjs';

const root = join(import.meta.dirname, '..');
const target = join(root, 'dist', 'pages', 'ui.json');
const cache = join(root, 'node_modules', '.cache', 'iam-pages');
const compress = promisify(brotliCompress);

/** What a browser may have to load for each page, in KB after gzip. */
const budgets = { admin: 450, account: 60, 'sign-in': 60 };

/** All that the result depends on, the versions of packages included. */
const sources = {
  folders: ['pages', 'client'],
  isWanted: (path) => !path.startsWith(join('pages', 'server')),
  files: [
    'src/http/user-agent.ts',
    'src/errors/iam.error-texts.ts',
    'package-lock.json',
    'scripts/build-pages.mjs',
  ],
};

/** The chunk of an entry and those that it always or sometimes loads. */
function chunksOf(manifest, key, kinds) {
  const found = new Set();
  const visit = (each) => {
    if (found.has(manifest[each])) return;
    found.add(manifest[each]);
    for (const kind of kinds) for (const next of manifest[each][kind] ?? []) visit(next);
  };
  visit(key);
  return [...found];
}

const filesOf = (chunks) => [...new Set(chunks.flatMap(({ file, css = [] }) => [file, ...css]))];
const nameOf = (file) => file.replace(/^assets\//, '');

async function make() {
  const { output } = await build({ configFile: join(root, 'pages', 'vite.config.ts'), logLevel: 'warn' });
  const texts = new Map(output.map((each) => [each.fileName, each.code ?? each.source]));
  const manifest = JSON.parse(texts.get('manifest.json'));
  texts.delete('manifest.json');
  const pages = {};
  for (const [page, most] of Object.entries(budgets)) {
    const key = `${page}/main.ts`;
    const sizes = filesOf(chunksOf(manifest, key, ['imports', 'dynamicImports'])).map(
      (file) => gzipSync(texts.get(file)).length,
    );
    const size = sizes.reduce((sum, each) => sum + each, 0) / 1024;
    if (size > most) throw new Error(`pages/${page} has ${size.toFixed(1)} KB after gzip; at most ${most}`);
    console.log(`pages/${page}: ${size.toFixed(1)} of ${most} KB after gzip`);
    const [entry, ...imports] = chunksOf(manifest, key, ['imports']);
    pages[page] = {
      script: nameOf(entry.file),
      preloads: imports.map(({ file }) => nameOf(file)),
      styles: [...new Set([...imports, entry].flatMap(({ css = [] }) => css.map(nameOf)))],
    };
  }
  const packed = await Promise.all(
    [...texts].map(async ([file, text]) => [nameOf(file), (await compress(text)).toString('base64')]),
  );
  return JSON.stringify({ files: Object.fromEntries(packed), pages });
}

/** The result of the last builds of the same sources is kept, because `npm test` builds each time. */
export async function buildPages() {
  const kept = join(cache, `${await hashOfSources(sources)}.json`);
  await mkdir(join(target, '..'), { recursive: true });
  const isKept = await cp(kept, target).then(
    () => true,
    () => false,
  );
  if (isKept) return;
  const text = await make();
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  // Renamed when it is whole: another build may read it.
  await writeFile(`${kept}.${process.pid}`, text);
  await rename(`${kept}.${process.pid}`, kept);
  await cp(kept, target);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPages();
