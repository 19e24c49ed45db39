import type { Command as Program, Help, HelpConfiguration } from 'commander';
import stringWidth from 'string-width';
import type { Command, OptionSpec } from './command.js';
import type { Text } from './output.js';
import { variables } from './environment.js';
import { PROGRAM } from './errors.js';
import { pairs } from './output.js';

/** Options that every command has. */
export const commonOptions: Readonly<Record<'json' | 'help' | 'version', OptionSpec>> = {
  json: {
    summary: { en: 'print one JSON document, also for an error', zh: '输出一个 JSON 文档，出错时也是' },
  },
  help: { summary: { en: 'show this text', zh: '显示本说明' } },
  version: { summary: { en: 'print the version', zh: '输出版本号' } },
};

/** What a program's caller may rely on. */
export const exitCodes: Text = {
  en: 'Exit codes: 0 done; 1 failed, or found something wrong; 2 called wrongly, or a variable is missing.',
  zh: '退出码：0 完成；1 失败，或发现了问题；2 用法错误，或缺少环境变量。',
};
/** The descriptions have line breaks of their own. */
const WIDTH = 120;

const headings: Readonly<Record<string, string>> = {
  'Usage:': '用法:',
  'Options:': '选项:',
  'Commands:': '命令:',
  'Environment:': '环境变量:',
  'Example:': '示例:',
};

/** A heading of the help, as the library or a command has it in English. */
export function heading(english: string, language: keyof Text): string {
  return language === 'zh' ? (headings[english] ?? english) : english;
}

/** What an option is for. */
export function optionText({ summary, repeated }: OptionSpec, language: keyof Text): string {
  const many = { en: ' (repeatable)', zh: '（可重复）' }[language];
  return `${summary[language]}${repeated === true ? many : ''}`;
}

/** The environment and an example, which stand behind the options. */
export function restOf({ example, variables: names }: Command, language: keyof Text): string {
  const lines = Object.fromEntries(names.map((name) => [name, variables[name][language]]));
  const environment =
    names.length === 0 ? '' : `\n${heading('Environment:', language)}\n${indent(pairs(lines))}\n`;
  return `${environment}\n${heading('Example:', language)}\n${indent(example)}`;
}

/** How the library lays out the help of every command. */
export const layout: HelpConfiguration = {
  helpWidth: WIDTH,
  displayWidth: stringWidth,
  subcommandTerm: pathOf,
  optionTerm: ({ flags }) => flags.replace(/[<>]/g, ''),
  // Called before a help is laid out, and not before similar names are looked for.
  prepareContext(this: Partial<Help>) {
    this.visibleCommands = leavesOf;
  },
};

/** What stands behind the list of all commands, or of those of a group. */
export function overviewNote(program: Program, language: keyof Text): string {
  const [first] = leavesOf(program);
  const call = `${PROGRAM} ${first === undefined ? '<command>' : pathOf(first)} --help`;
  const note = {
    en: `${call} says more about one. --json is for programs.`,
    zh: `${call} 给出一个命令的详细说明。--json 供程序使用。`,
  };
  return `\n${note[language]}\n${exitCodes[language]}`;
}

/** E.g. `provider add`; nothing for the program itself. */
export function pathOf(program: Program): string {
  return program.parent === null ? '' : `${pathOf(program.parent)} ${program.name()}`.trim();
}

function leavesOf(program: Program): Program[] {
  return program.commands.flatMap((each) => (each.commands.length === 0 ? [each] : leavesOf(each)));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
