import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { errorCatalogue } from '../../src/errors/iam.error.js';
import { root } from './pages.js';

const stories = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts') && !/^(?:docs|emulator|errors|hosts|wechat)\//.test(path))
  .map((path) => `${root}test/${path}`)
  .map((path) => readFileSync(path, 'utf8'));

it.each(Object.keys(errorCatalogue))('%s is what some story ends with', (code) => {
  const asserted = new RegExp(`['"]${code}['"]`);

  expect(stories.filter((text) => asserted.test(text))).not.toEqual([]);
});

it('docs/standards.md names tests that are there', async () => {
  const document = await readFile('docs/standards.md', 'utf8');
  const cells = [...document.matchAll(/^\|.*\| ((?:`[a-z.-]+`(?:, )?)+) \|$/gm)].map(([, cell = '']) => cell);
  const named = new Set(cells.flatMap((cell) => cell.replaceAll('`', '').split(', ')));
  const files = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' });

  expect(named.size).toBeGreaterThan(10);
  expect([...named].filter((name) => !files.some((path) => path.endsWith(`/${name}.spec.ts`)))).toEqual([]);
});
