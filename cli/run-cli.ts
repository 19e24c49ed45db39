import { createRequire } from 'node:module';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';
import { commandList, commandsOf, findCommand } from './command-list.js';
import { Environment } from './environment.js';
import { CommandError, UsageError } from './errors.js';
import { describeFailure } from './failure.js';
import { helpText, overviewText } from './help-text.js';
import { nearestName } from './nearest-name.js';
import { Output } from './output.js';
import { StandardInput } from './standard-input.js';
import { outliveReaders, type Streams } from './streams.js';

/** What a call runs in; by default the process. */
export interface Surroundings extends Streams {
  readonly variables: Readonly<Record<string, string | undefined>>;
}

const ofTheProcess = (): Surroundings => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  variables: process.env,
});

const LOST = 'Standard output was closed: what was generated is stored and cannot be shown again';

/** Runs the command that the arguments name. Exit code 0: done; 1: it failed or found problems; 2: it was called wrongly. */
export async function runCli(
  args: readonly string[],
  surroundings: Surroundings = ofTheProcess(),
): Promise<number> {
  outliveReaders(surroundings);
  const words = commonOptionsLast(args);
  const output = new Output(surroundings, args.includes('--json') ? 'json' : 'text');
  const environment = new Environment(surroundings.variables);
  const found = findCommand(words);
  try {
    if (found === null) return await answerWithoutCommand(words, { output, environment });
    const command = await found.command.load();
    const given = words.slice(found.words);
    if (asksForHelp(given)) return await said(output.help(helpText(command, environment.language)));
    return await run(command, given, { output, environment, surroundings });
  } catch (error) {
    const failure = await describeFailure(error, environment.secrets);
    await output.failure(failure, found?.command.name ?? groupOf(words));
    return failure.exitCode;
  }
}

interface Around {
  readonly output: Output;
  readonly environment: Environment;
  readonly surroundings: Surroundings;
}

async function run(
  command: Command,
  given: readonly string[],
  { output, environment, surroundings }: Around,
): Promise<number> {
  const result = await command.run({
    arguments: Arguments.parse(command, given),
    environment,
    input: new StandardInput(surroundings.stdin, surroundings.stderr),
    progress: (line) => output.progress(line),
    print: (early) => output.result(early),
  });
  if (result === null) return 0;
  const isRead = await output.result(result);
  if (!isRead && result.isShownOnce === true) throw new CommandError('output_lost', LOST);
  return result.foundProblems === true ? 1 : 0;
}

async function answerWithoutCommand(
  words: readonly string[],
  { output, environment }: Pick<Around, 'output' | 'environment'>,
): Promise<number> {
  const [first = '', second = ''] = words;
  if (first === '--version') return said(output.help(version()));
  if (first === 'help' && findCommand(words.slice(1)) !== null) {
    const command = await findCommand(words.slice(1))?.command.load();
    if (command !== undefined) return said(output.help(helpText(command, environment.language)));
  }
  const group = groupOf(words);
  if (first === 'help' || asksForHelp(words))
    return said(
      output.help(overviewText(group === '' ? commandList : commandsOf(group), group || undefined)),
    );
  throw new UsageError(unknownCommand(first, group === '' ? '' : second));
}

function unknownCommand(first: string, second: string): string {
  if (first === '' || first.startsWith('-')) return 'No command given';
  const given = `${first} ${second}`.trim();
  const group = commandsOf(first);
  if (group.length > 0 && (second === '' || second.startsWith('-')))
    return `${first} needs one of: ${group.map(({ name }) => name.slice(first.length + 1)).join(', ')}`;
  const names = [...commandList.map(({ name }) => name)];
  const nearest = nearestName(given, names);
  return `Unknown command "${given}"${nearest === null ? '' : `. Did you mean ${nearest}?`}`;
}

/** The first word when other words complete it to a command, else nothing. */
function groupOf(words: readonly string[]): string {
  const [first = '', second = ''] = words;
  const named = first === 'help' ? second : first;
  return named !== '' && commandsOf(named).length > 0 ? named : '';
}

function asksForHelp(words: readonly string[]): boolean {
  return words.includes('--help') || words.includes('-h');
}

/** `--json provider list` is as good as `provider list --json`. */
function commonOptionsLast(args: readonly string[]): string[] {
  const first = args.findIndex((arg) => !['--json', '--help', '-h'].includes(arg));
  return first === -1 ? [...args] : [...args.slice(first), ...args.slice(0, first)];
}

function version(): string {
  const read: unknown = createRequire(import.meta.url)('nestjs-wechat-iam/package.json');
  const isNamed = typeof read === 'object' && read !== null && 'version' in read;
  return isNamed ? String(read.version) : '';
}

async function said(writing: Promise<boolean>): Promise<number> {
  await writing;
  return 0;
}
