import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

async function filesIn(folder) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/**
 * Tells whether something must be made anew: the SHA-256 of the files, by path and content, in hexadecimal. `isWanted` chooses among those
 * in `folders`; all paths are relative to the checkout.
 */
export async function hashOfSources({ folders, files = [], isWanted = () => true }) {
  const found = (await Promise.all(folders.map(filesIn))).flat().map((path) => path.slice(root.length + 1));
  const paths = [...found.filter(isWanted).sort(), ...files];
  const texts = await Promise.all(paths.map((path) => readFile(join(root, path))));
  const hash = createHash('sha256');
  for (const [index, path] of paths.entries()) hash.update(`${path}\n`).update(texts[index]);
  return hash.digest('hex');
}
