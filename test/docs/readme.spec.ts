import { readFileSync } from 'node:fs';
import { errorCatalogue } from '../../src/errors/iam.error.js';
import { identityProviderInput } from '../../src/identity-providers/provider-columns.js';
import { declaredOptions } from './declared-options.js';
import { mountedRoutes } from './mounted-routes.js';
import { codeIn, root, tableOf } from './pages.js';

const readmes = ['README.md', 'README.zh-CN.md'] as const;
const required = { 'README.md': 'required', 'README.zh-CN.md': '必填' };

describe.each(readmes)('%s', (readme) => {
  it('lists every option, and what is required', () => {
    const rows = tableOf(readme, 'options').map(([name = '', fallback]) => ({
      name: codeIn(name).join(),
      isRequired: fallback === required[readme],
    }));

    expect(rows).toEqual(declaredOptions().map(({ name, isRequired }) => ({ name, isRequired })));
  });

  it('lists every endpoint that Nest mounts', () => {
    const rows = tableOf(readme, 'endpoints').map(
      ([method = '', path = '']) => `${method} ${codeIn(path).join()}`,
    );

    expect(rows.toSorted()).toEqual(mountedRoutes().toSorted());
  });

  it('lists every error code with its HTTP status and its OAuth error', () => {
    const rows = tableOf(readme, 'errors').map(([code = '', status, oauth = '']) => [
      codeIn(code).join(),
      { status: Number(status), oauth: codeIn(oauth).join() },
    ]);

    expect(rows).toEqual(Object.entries(errorCatalogue).map(([code, entry]) => [code, { ...entry }]));
  });

  it('lists every column of a provider row', () => {
    const columns = tableOf(readme, 'provider-columns').flatMap(([names = '']) => codeIn(names));

    expect(columns.toSorted()).toEqual(Object.keys(identityProviderInput.shape).toSorted());
  });

  it('lists every environment variable that the example reads', () => {
    const source = readFileSync(`${root}example/run/environment.ts`, 'utf8');
    const read = [...source.matchAll(/read\('([A-Z_]+)'\)/g)].map(([, name]) => name);

    const listed = tableOf(readme, 'environment').flatMap(([names = '']) => codeIn(names));

    expect(listed.toSorted()).toEqual(read.toSorted());
  });
});

it('README.md gives every default as the interfaces document it', () => {
  const rows = tableOf('README.md', 'options').map(([name = '', fallback = '']) => [
    codeIn(name).join(),
    fallback.replaceAll('`', ''),
  ]);

  expect(rows).toEqual(
    declaredOptions().map(({ name, isRequired, defaultText }) => [
      name,
      isRequired ? 'required' : (defaultText ?? '–'),
    ]),
  );
});

describe('README.zh-CN.md', () => {
  it.each(['options', 'endpoints', 'errors', 'provider-columns', 'environment'])(
    'has the values of README.md in the table of %s',
    (table) => {
      const values = (readme: string) =>
        tableOf(readme, table).map((cells) =>
          cells.slice(0, -1).map((cell) => [codeIn(cell), numbersIn(cell)]),
        );

      expect(values('README.zh-CN.md')).toEqual(values('README.md'));
    },
  );
});

function numbersIn(cell: string): string[] {
  return cell.match(/\d+/g) ?? [];
}
