import { commandList, type ListedCommand } from '../../cli/command-list.js';
import type { Command } from '../../cli/command.js';
import { commonOptions, exitCodes, optionText } from '../../cli/help.js';
import { code, pagePath, table, type Language, type ReferencePage } from './markdown.js';

/** Every command, in the order of the help. */
export const commands: readonly (ListedCommand & Command)[] = await Promise.all(
  commandList.map(async (listed) => ({ ...listed, ...(await listed.load()) })),
);

/** docs/reference/cli.md */
export const cliPage: ReferencePage = {
  name: 'cli',
  title: { en: 'Commands', zh: '命令' },
  sources: ['cli/command-list.ts', 'cli/commands/'],
  intro: {
    en: `\`npx nestjs-wechat-iam <command> --help\` says the same. [The command line](../cli.md) shows the way from nothing to an
administrator. What a command reads of the environment is explained in [environment variables](environment.md).`,
    zh: `\`npx nestjs-wechat-iam <命令> --help\` 给出同样的说明。[命令行](../cli.zh-CN.md)介绍从零到管理员的步骤。命令读取的环境变量见[环境变量](environment.zh-CN.md)。`,
  },
  body: (language) =>
    [
      table(
        { en: ['command', 'what it does'], zh: ['命令', '作用'] }[language],
        commands.map(({ name, summary }) => [`[${code(name)}](#${anchorOf(name)})`, summary[language]]),
      ),
      `${exitCodes[language]}\n\n${{ en: 'Every command takes `--json`: ', zh: '每个命令都有 `--json`：' }[language]}${optionText(commonOptions.json, language)}${{ en: '.', zh: '。' }[language]}`,
      ...commands.map((command) => describe(command, language)),
    ].join('\n\n'),
};

function anchorOf(name: string): string {
  return name.replaceAll(' ', '-');
}

function describe(
  { name, description, parameters, options, variables, example }: Command,
  language: Language,
): string {
  const call = ['npx nestjs-wechat-iam', name, ...parameters.map((each) => `<${each}>`), '[options]'].join(
    ' ',
  );
  const rows = Object.entries(options).map(([option, spec]) => [
    code(spec.value === undefined ? `--${option}` : `--${option} ${spec.value}`),
    optionText(spec, language),
  ]);
  const read = `[${{ en: 'Environment', zh: '环境变量' }[language]}](${pagePath('environment', language)})${{ en: ': ', zh: '：' }[language]}`;
  return [
    `## ${name}`,
    code(call),
    escaped(description[language]),
    ...(rows.length === 0
      ? []
      : [table({ en: ['option', 'meaning'], zh: ['选项', '含义'] }[language], rows)]),
    ...(variables.length === 0 ? [] : [read + variables.map(code).join(', ')]),
    `\`\`\`sh\n${example}\n\`\`\``,
  ].join('\n\n');
}

/** `<slug>` outside code would be HTML. */
function escaped(text: string): string {
  return text.replaceAll('<', '\\<').replaceAll('*', '\\*');
}
