import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The two languages, by file name. */
export const readmes = ['README.md', 'README.zh-CN.md'] as const;

/** A README of the repository. */
export type Readme = (typeof readmes)[number];

/** Pages of docs/ that have examples, as the READMEs in two languages. */
export const guides = ['docs/existing-users.md', 'docs/existing-users.zh-CN.md'] as const;

/** The pages for hosts without TypeORM. */
export const ormGuides = ['docs/beside-other-orms.md', 'docs/beside-other-orms.zh-CN.md'] as const;

/** A page with examples, by its path in the repository. */
export type Page = Readme | (typeof guides)[number] | (typeof ormGuides)[number];

/** The folder of package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const texts = new Map<Page, string>();

function textOf(readme: Page): string {
  const text = texts.get(readme) ?? readFileSync(`${root}${readme}`, 'utf8');
  texts.set(readme, text);
  return text;
}

/** A fenced code block that is marked `<!-- example: name -->`. */
export interface Example {
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

/** Every marked code block. */
export function examplesOf(readme: Page): Example[] {
  const form = /<!-- example: ([\w-]+) -->\n```(\w+)\n([^]*?)\n```\n/g;
  return [...textOf(readme).matchAll(form)].map(([, name = '', language = '', code = '']) => ({
    name,
    language,
    code,
  }));
}

/** The marked code block of this name. */
export function exampleOf(readme: Page, name: string): Example {
  const [example, ...more] = examplesOf(readme).filter((each) => each.name === name);
  if (example === undefined || more.length > 0)
    throw new Error(`${readme} has not exactly one example ${name}`);
  return example;
}

/** The cells of the table that is marked `<!-- table: name -->`, without its head; a pipe in code is written `\|`. */
export function tableOf(readme: Readme, name: string): string[][] {
  const [, after] = textOf(readme).split(`<!-- table: ${name} -->\n`);
  if (after === undefined) throw new Error(`${readme} has no table ${name}`);
  const [table = ''] = after.split(/\n(?!\|)/);
  return table
    .split('\n')
    .slice(2)
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** The texts in backticks. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** The headings of a README, with their depth. */
export function headingDepths(readme: Page): number[] {
  const outsideCode = textOf(readme).replace(/^```[^]*?^```$/gm, '');
  return [...outsideCode.matchAll(/^(#+) /gm)].map(([, marks = '']) => marks.length);
}

/** What the address of a file of the repository begins with. */
const repository = /^https:\/\/github\.com\/nestjs-wechat-iam\/nestjs-wechat-iam\/(?:blob|tree)\/main\//;

/** The paths in the repository that links lead to, without fragments. */
export function linksOf(readme: Page): string[] {
  return targetsOf(readme)
    .map((target) => target.replace(repository, '').replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^https?:/.test(target));
}

/** The fragments that the README links to in itself. */
export function fragmentsOf(readme: Readme): string[] {
  return targetsOf(readme).flatMap((target) => (target.startsWith('#') ? [target.slice(1)] : []));
}

/** The fragments of the headings, as GitHub makes them. */
export function anchorsOf(readme: Readme): string[] {
  const headings = [...textOf(readme).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text.toLowerCase());
  return headings.map((text) => text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'));
}

function targetsOf(readme: Page): string[] {
  return [...textOf(readme).matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
}
