import { commonOptions } from './arguments.js';
import type { Command } from './command.js';
import { variables, type VariableName } from './environment.js';
import { pairs } from './table.js';

/** The program's name in every text. */
export const PROGRAM = 'nestjs-wechat-iam';

/** A command's name and one line about it. */
export interface Summary {
  readonly name: string;
  readonly summary: string;
}

/** What `--help` says about all commands, or about those of a group. */
export function overviewText(commands: readonly Summary[], group?: string): string {
  const called = group === undefined ? '<command>' : `${group} <command>`;
  const list = pairs(Object.fromEntries(commands.map(({ name, summary }) => [name, summary])));
  const example = commands[0]?.name ?? called;
  return `Usage: ${PROGRAM} ${called} [options]

${indent(list)}

${PROGRAM} ${example} --help says more about one. --json is for programs.
Exit codes: 0 done; 1 failed, or found something wrong; 2 called wrongly, or a variable is missing.`;
}

const words = {
  en: {
    usage: 'Usage',
    options: 'Options',
    environment: 'Environment',
    example: 'Example',
    many: ' (repeatable)',
  },
  zh: { usage: '用法', options: '选项', environment: '环境变量', example: '示例', many: '（可重复）' },
} as const;

/** What commands share, for a help in Chinese. */
const shared: Readonly<Record<string, string>> = {
  json: '输出一个 JSON 文档，出错时也是',
  help: '显示本说明',
  lang: '输出所用的语言（默认由 LANG 决定）',
  DATABASE_URL: '你的应用的 PostgreSQL，例如 postgres://app:…@db.internal:5432/app',
  IAM_KEYS: 'IamModule 的选项 `keys`，以逗号分隔，第一个用来加密（只有一个密钥时可用 IAM_KEY）',
  WECHAT_API_URL: '另一个微信，例如模拟器；还有 WECHAT_OPEN_URL、WECHAT_MP_URL',
  LANG: 'zh… 表示中文（默认英文）',
};

/** What `--help` says about one command; in Chinese where the command has it. */
export function helpText(command: Command, asked: 'zh' | 'en'): string {
  const language = command.zh === undefined ? 'en' : asked;
  const { usage, options, environment, example } = words[language];
  const parameters = command.parameters.map((name) => ` <${name}>`).join('');
  const description = language === 'zh' ? command.zh?.description : command.description;
  const sections = [
    `${usage}: ${PROGRAM} ${command.name}${parameters} [options]`,
    description ?? command.description,
    `${options}:\n${indent(optionLines(command, language))}`,
    ...(command.variables.length === 0
      ? []
      : [`${environment}:\n${indent(variableLines(command, language))}`]),
    `${example}:\n${indent(command.example)}`,
  ];
  return sections.join('\n\n');
}

function optionLines({ options, zh }: Command, language: 'zh' | 'en'): string {
  const chinese = { ...shared, ...zh?.options };
  const lines = Object.entries({ ...options, ...commonOptions }).map(
    ([name, { value, summary, repeated }]) => {
      const short = name === 'help' ? '-h, ' : '';
      const many = repeated === true ? words[language].many : '';
      const said = language === 'zh' ? (chinese[name] ?? summary) : summary;
      return [`${short}--${name}${value === undefined ? '' : ` ${value}`}`, `${said}${many}`] as const;
    },
  );
  return pairs(Object.fromEntries(lines));
}

function variableLines(command: Command, language: 'zh' | 'en'): string {
  const said = (name: VariableName) =>
    language === 'zh' ? (shared[name] ?? variables[name]) : variables[name];
  return pairs(Object.fromEntries(command.variables.map((name) => [name, said(name)])));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
