import { commonOptions } from './arguments.js';
import type { Command } from './command.js';
import { variables } from './environment.js';
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

/** What `--help` says about one command. */
export function helpText(command: Command): string {
  const parameters = command.parameters.map((name) => ` <${name}>`).join('');
  const sections = [
    `Usage: ${PROGRAM} ${command.name}${parameters} [options]`,
    command.description,
    `Options:\n${indent(optionLines(command))}`,
    ...(command.variables.length === 0 ? [] : [`Environment:\n${indent(variableLines(command))}`]),
    `Example:\n${indent(command.example)}`,
  ];
  return sections.join('\n\n');
}

function optionLines({ options }: Command): string {
  const lines = Object.entries({ ...options, ...commonOptions }).map(
    ([name, { value, summary, repeated }]) => {
      const short = name === 'help' ? '-h, ' : '';
      const many = repeated === true ? ' (repeatable)' : '';
      return [`${short}--${name}${value === undefined ? '' : ` ${value}`}`, `${summary}${many}`] as const;
    },
  );
  return pairs(Object.fromEntries(lines));
}

function variableLines(command: Command): string {
  return pairs(Object.fromEntries(command.variables.map((name) => [name, variables[name]])));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
