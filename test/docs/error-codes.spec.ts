import { readdirSync, readFileSync } from 'node:fs';
import { errorCatalogue } from '../../src/iam.error.js';
import { root } from './readme.js';

const stories = ['test/flows', 'test/browser']
  .flatMap((folder) => readdirSync(`${root}${folder}`).map((name) => `${root}${folder}/${name}`))
  .filter((path) => path.endsWith('.spec.ts'))
  .map((path) => readFileSync(path, 'utf8'));

it.each(Object.keys(errorCatalogue))('%s is what some story ends with', (code) => {
  const asserted = new RegExp(`['"]${code}['"]`);

  expect(stories.filter((text) => asserted.test(text))).not.toEqual([]);
});
