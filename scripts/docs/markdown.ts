import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The languages of the reference. */
export const languages = ['en', 'zh'] as const;

/** See `languages`. */
export type Language = (typeof languages)[number];

/** The same in both languages. */
export interface Text {
  readonly en: string;
  readonly zh: string;
}

/** One page of the reference. */
export interface ReferencePage {
  /** Its file in docs/reference/, without the ending. */
  readonly name: string;
  readonly title: Text;
  /** Where what it says is to be changed. */
  readonly sources: readonly string[];
  readonly intro: Text;
  /** What follows the introduction. */
  readonly body: (language: Language) => string;
}

/** The whole text of a page. */
export function render({ name, title, sources, intro, body }: ReferencePage, language: Language): string {
  const other = language === 'en' ? `[中文](${name}.zh-CN.md)` : `[English](${name}.md)`;
  const note = `<!-- Made by \`npm run docs\` from ${sources.join(', ')}: change it there. -->`;
  return `${[`# ${title[language]}`, note, other, intro[language], body(language)].join('\n\n')}\n`;
}

/** A table; a pipe in a cell is escaped, and a line break becomes `<br>`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', '<br>')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** `like this`. */
export function code(text: string): string {
  return `\`${text}\``;
}

/** The path of another page, from docs/reference/ and in the language. */
export function pagePath(path: string, language: Language): string {
  return `${path}${language === 'en' ? '' : '.zh-CN'}.md`;
}

/** The text of a source file. */
export function sourceOf(path: string): string {
  return readFileSync(`${root}${path}`, 'utf8');
}

/** @throws Error unless the texts are of exactly these names: none is missing, none is left of what is gone. */
export function checkTexts(
  what: string,
  names: readonly string[],
  texts: Readonly<Record<string, unknown>>,
): void {
  const missing = names.filter((name) => !Object.hasOwn(texts, name));
  const left = Object.keys(texts).filter((name) => !names.includes(name));
  if (missing.length + left.length > 0)
    throw new Error(`${what}: no text for [${missing.join(', ')}], a text for nothing: [${left.join(', ')}]`);
}
