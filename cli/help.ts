import type { Command as Program, Help, HelpConfiguration } from 'commander';
import stringWidth from 'string-width';
import type { Command, OptionSpec } from './command.js';
import { variables } from './environment.js';
import { PROGRAM } from './errors.js';
import { pairs } from './output.js';

/** Options that every command has. */
export const commonOptions: Readonly<Record<'json' | 'help', OptionSpec>> = {
  json: { summary: 'print one JSON document, also for an error' },
  help: { summary: 'show this text' },
};

const EXIT_CODES =
  'Exit codes: 0 done; 1 failed, or found something wrong; 2 called wrongly, or a variable is missing.';
/** The descriptions have line breaks of their own. */
const WIDTH = 120;

const headings: Readonly<Record<string, string>> = {
  'Usage:': '用法:',
  'Options:': '选项:',
  'Environment:': '环境变量:',
  'Example:': '示例:',
};

/** What commands share, for a help in Chinese. */
const shared: Readonly<Record<string, string>> = {
  json: '输出一个 JSON 文档，出错时也是',
  help: '显示本说明',
  lang: '输出所用的语言（默认由 LANG 决定）',
  DATABASE_URL: '你的应用的 PostgreSQL，例如 postgres://app:…@db.internal:5432/app',
  IAM_KEYS: 'IamModule 的选项 `keys`，以逗号分隔，第一个用来加密（只有一个密钥时可用 IAM_KEY）',
  PUBLIC_URL: 'IamModule 的选项 `publicUrl`，例如 https://app.example.com',
  IAM_PATH: 'IamModule 的选项 `path`，在全局前缀之后（默认 iam）',
  WECHAT_API_URL: '另一个微信，例如模拟器；还有 WECHAT_OPEN_URL、WECHAT_MP_URL',
  LANG: 'zh… 表示中文（默认英文）',
};

/** The words of a command's help, in Chinese where the command has them. */
export class CommandWords {
  private readonly zh: Command['zh'];

  constructor(
    private readonly command: Command,
    language: 'zh' | 'en',
  ) {
    this.zh = language === 'zh' ? command.zh : undefined;
  }

  get description(): string {
    return this.zh?.description ?? this.command.description;
  }

  option(name: string, { summary, repeated }: OptionSpec): string {
    const many = this.zh === undefined ? ' (repeatable)' : '（可重复）';
    return `${this.inChinese(name) ?? summary}${repeated === true ? many : ''}`;
  }

  /** The environment and an example, which stand behind the options. */
  get rest(): string {
    const { example, variables: names } = this.command;
    const lines = names.map((name) => [name, this.inChinese(name) ?? variables[name]] as const);
    const environment =
      lines.length === 0
        ? ''
        : `\n${this.heading('Environment:')}\n${indent(pairs(Object.fromEntries(lines)))}\n`;
    return `${environment}\n${this.heading('Example:')}\n${indent(example)}`;
  }

  heading(english: string): string {
    return this.zh === undefined ? english : (headings[english] ?? english);
  }

  private inChinese(name: string): string | undefined {
    return this.zh === undefined ? undefined : (this.zh.options[name] ?? shared[name]);
  }
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
export function overviewNote(program: Program): string {
  const [first] = leavesOf(program);
  const example = first === undefined ? '<command>' : pathOf(first);
  return `\n${PROGRAM} ${example} --help says more about one. --json is for programs.\n${EXIT_CODES}`;
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
