import { readdirSync, readFileSync } from 'node:fs';
import { errorCatalogue } from '../../src/errors/iam.error.js';
import { iamEntities } from '../../src/iam.entities.js';
import {
  consentVisit,
  deviceVisit,
  roundTrip,
  scannerProof,
  scanTrip,
} from '../../src/sign-in/page-cookies.service.js';
import { root } from './pages.js';

const stories = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts') && !/^(?:docs|emulator|errors|hosts|wechat)\//.test(path))
  .map((path) => `${root}test/${path}`)
  .map((path) => readFileSync(path, 'utf8'));

it.each(Object.keys(errorCatalogue))('%s is what some story ends with', (code) => {
  const asserted = new RegExp(`['"]${code}['"]`);

  expect(stories.filter((text) => asserted.test(text))).not.toEqual([]);
});

/** The tests of each clause, as the last column of a page of standards names them. */
const testsNamed = (page: string): string[][] =>
  [...readFileSync(`${root}${page}`, 'utf8').matchAll(/^\|.*\| ((?:`[a-z.-]+`(?:, |、)?)+) \|$/gm)].map(
    ([, cell = '']) => cell.replaceAll('`', '').split(/, |、/),
  );

it('docs/standards.md names tests that are there, and in Chinese the same', () => {
  const named = testsNamed('docs/standards.md');
  const files = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' });

  expect(named.length).toBeGreaterThan(10);
  expect(named.flat().filter((name) => !files.some((path) => path.endsWith(`/${name}.spec.ts`)))).toEqual([]);
  expect(testsNamed('docs/standards.zh-CN.md')).toEqual(named);
});

it.each(['docs/architecture.md', 'docs/architecture.zh-CN.md'])(
  '%s names each table and each cookie',
  (page) => {
    const rows = readFileSync(`${root}${page}`, 'utf8').match(/^\| `.*/gm) ?? [];
    const named = rows.flatMap((row) =>
      [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );
    const tables = iamEntities.map(({ options: { tableName, name } }) => tableName ?? name);
    const cookies = [roundTrip, scanTrip, scannerProof, deviceVisit, consentVisit].map(
      ({ name }) => `iam-${name}-…`,
    );

    expect([...tables, ...cookies].filter((name) => !named.includes(name))).toEqual([]);
  },
);
