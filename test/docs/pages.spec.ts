import { existsSync, readFileSync } from 'node:fs';
import {
  chineseOf,
  deadLinksOf,
  examplesOf,
  headingDepths,
  pages,
  root,
  textOf,
  translatedPages,
} from './pages.js';
import { complaintsAbout } from './type-check.js';

it.each(pages)('%s links to files and headings that exist', (page) => {
  expect(deadLinksOf(page)).toEqual([]);
});

it.each(pages.filter((page) => /^(README|docs\/(guides|reference)\/)/.test(page)))(
  '%s is there in both languages',
  (page) => {
    const english = page.replace('.zh-CN.md', '.md');

    expect(translatedPages).toContain(english);
  },
);

it.each(['README.md', 'README.zh-CN.md'])('%s is short enough to be read', (page) => {
  expect(textOf(page).split('\n').length).toBeLessThanOrEqual(280);
});

it.each(translatedPages)('%s has the same examples and structure in Chinese', (page) => {
  expect(examplesOf(chineseOf(page))).toEqual(examplesOf(page));
  expect(headingDepths(chineseOf(page))).toEqual(headingDepths(page));
});

describe('the page about conformance', () => {
  const modules = [...textOf('docs/conformance.md').matchAll(/^\| `(oidcc-[\w-]+)` \| .+ \| (.+) \|$/gm)];
  const tests = modules.flatMap(([, , said = '']) =>
    [...said.matchAll(/`([\w/-]+\.spec\.ts)`: “([^”]+)”/g)].map(([, file = '', name = '']) => ({
      file,
      name,
    })),
  );

  it('lists each module of the four plans once', () => {
    expect(modules).toHaveLength(38 + 1 + 11 + 2);
    expect(new Set(modules.map(([, name]) => name)).size).toBe(modules.length);
  });

  it('names a test of each, or why it does not apply', () => {
    const unsaid = modules.filter(([, , said = '']) => !/\.spec\.ts`: “.+”|^Does not apply: ./.test(said));

    expect(unsaid.map(([, name]) => name)).toEqual([]);
  });

  it.each(tests)('names a test that exists: $file, $name', ({ file, name }) => {
    const path = `${root}test/${file}`;
    const source = existsSync(path) ? readFileSync(path, 'utf8').replaceAll('\\', '') : '';

    expect(["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`))).toBe(true);
  });
});

describe('under the settings of this repository', () => {
  const wrong = {
    name: 'wrong',
    language: 'ts',
    code: `import { IamModule } from 'nestjs-wechat-iam';\nIamModule.forRoot({});`,
  };
  const examples = translatedPages.flatMap((page) =>
    examplesOf(page)
      .filter(({ language }) => language === 'ts')
      .map((example) => ({ ...example, name: `${example.name} of ${page}` })),
  );
  let complaints: ReadonlyMap<string, readonly string[]>;

  beforeAll(() => {
    complaints = complaintsAbout([...examples, wrong]);
  }, 120_000);

  it.each(examples)('the example $name compiles', ({ name }) => {
    expect(complaints.get(name)).toEqual([]);
  });

  it('wrong code does not compile', () => {
    expect(complaints.get('wrong')).toEqual([expect.stringContaining('publicUrl')]);
  });
});
