import { readdirSync, readFileSync } from 'node:fs';
import { errorCatalogue } from '../../src/errors/iam.error.js';
import { root } from './readme.js';

const stories = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts') && !/^(?:docs|emulator|errors|hosts|wechat)\//.test(path))
  .map((path) => `${root}test/${path}`)
  .map((path) => readFileSync(path, 'utf8'));

it.each(Object.keys(errorCatalogue))('%s is what some story ends with', (code) => {
  const asserted = new RegExp(`['"]${code}['"]`);

  expect(stories.filter((text) => asserted.test(text))).not.toEqual([]);
});
