import { UsageError, type Command } from './command.js';
import { emulatorCommand } from './emulator.command.js';

const commands: readonly Command[] = [emulatorCommand];

const overview = `Usage: nestjs-wechat-iam <command> [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

nestjs-wechat-iam <command> --help says more.`;

/** Runs the command that the arguments name. Exit code 0: done; 1: it failed; 2: it was called wrongly. */
export async function runCli([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') return print(overview);
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined)
    return complain(name === '' ? 'No command given.' : `Unknown command "${name}".`, 2);
  if (args.includes('--help') || args.includes('-h')) return print(command.help);
  try {
    await command.run(args);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) return complain(`${error.message}.`, 2, command.name);
    return complain(error instanceof Error ? error.message : String(error), 1);
  }
}

function print(text: string): number {
  console.log(text);
  return 0;
}

function complain(problem: string, exitCode: 1 | 2, command?: string): number {
  const called = ['nestjs-wechat-iam', ...(command === undefined ? [] : [command])].join(' ');
  console.error(exitCode === 2 ? `${problem} Try: ${called} --help` : problem);
  return exitCode;
}
