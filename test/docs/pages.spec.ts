import {
  chineseOf,
  deadLinksOf,
  examplesOf,
  headingDepths,
  pages,
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
