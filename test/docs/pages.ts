import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const documents = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md'))
  .map((path) => `docs/${path}`);

/** Every page, by its path in the repository; decisions are records and not kept up to date. */
export const pages: readonly string[] = [
  'README.md',
  'README.zh-CN.md',
  'emulator/README.md',
  ...documents.filter((path) => !path.startsWith('docs/decisions/')).toSorted(),
];

/** The path of a page's other language. */
export function chineseOf(page: string): string {
  return page.replace(/\.md$/, '.zh-CN.md');
}

/** The pages in English that there are in Chinese too. */
export const translatedPages = pages.filter((page) => pages.includes(chineseOf(page)));

const texts = new Map<string, string>();

/** The text of a page. */
export function textOf(page: string): string {
  const text = texts.get(page) ?? readFileSync(`${root}${page}`, 'utf8');
  texts.set(page, text);
  return text;
}

/** A fenced code block that is marked `<!-- example: name -->`. */
export interface Example {
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

/** Every marked code block. */
export function examplesOf(page: string): Example[] {
  const form = /<!-- example: ([\w-]+) -->\n```(\w+)\n([^]*?)\n```\n/g;
  return [...textOf(page).matchAll(form)].map(([, name = '', language = '', code = '']) => ({
    name,
    language,
    code,
  }));
}

/** The marked code block of this name. */
export function exampleOf(page: string, name: string): Example {
  const [example, ...more] = examplesOf(page).filter((each) => each.name === name);
  if (example === undefined || more.length > 0)
    throw new Error(`${page} has not exactly one example ${name}`);
  return example;
}

/** The headings of a page, with their depth. */
export function headingDepths(page: string): number[] {
  return [...outsideCode(page).matchAll(/^(#+) /gm)].map(([, marks = '']) => marks.length);
}

/** What the address of a file of the repository begins with. */
const repository =
  /^https:\/\/(?:github\.com\/nestjs-wechat-iam\/nestjs-wechat-iam\/(?:blob|tree)|raw\.githubusercontent\.com\/nestjs-wechat-iam\/nestjs-wechat-iam)\/main\//;

/** The links of a page that lead to no file of the repository, or to no heading of a page of it. */
export function deadLinksOf(page: string): string[] {
  const targets = [...outsideCode(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    const [path = '', fragment] = target.replace(repository, '/').split('#');
    if (/^https?:/.test(path)) return false;
    const file = path === '' ? page : path.startsWith('/') ? path.slice(1) : join(dirname(page), path);
    if (!existsSync(`${root}${file}`)) return true;
    return fragment !== undefined && !anchorsOf(file).includes(fragment);
  });
}

/** The fragments of the headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = [...outsideCode(page).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text.toLowerCase());
  return headings.map((text) => text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'));
}

function outsideCode(page: string): string {
  return textOf(page).replace(/^```[^]*?^```$/gm, '');
}
