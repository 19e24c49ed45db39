import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const guides = readdirSync(join(root, 'docs/guides')).filter((name) => /^[^.]+\.md$/.test(name));
const pages = ['README.md', ...guides.map((name) => `docs/guides/${name}`)];

/** The marked code blocks of README.md and of the guides, as they stand there. */
export const examples = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = text.matchAll(/<!-- example: ([\w-]+) -->\n```(\w+)\n([^]*?\n)```\n/g);
  return [...blocks].map(([, name, language, code]) => ({ page, name, language, code }));
});

/** The code of one in README.md: what it says there is all that a fresh application needs. */
export function exampleOf(wanted) {
  const found = examples.find(({ page, name }) => page === 'README.md' && name === wanted);
  if (found === undefined) throw new Error(`README.md has no example ${wanted}`);
  return found.code;
}
