import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const text = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');

/** The marked code blocks of README.md as they stand there. */
export const examples = [...text.matchAll(/<!-- example: ([\w-]+) -->\n```(\w+)\n([^]*?\n)```\n/g)].map(
  ([, name, language, code]) => ({ name, language, code }),
);

/** The code of one. */
export function exampleOf(wanted) {
  const found = examples.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`README.md has no example ${wanted}`);
  return found.code;
}
