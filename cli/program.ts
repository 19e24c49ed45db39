import { Command as Program, CommanderError, Option } from 'commander';
import { createRequire } from 'node:module';
import { Arguments, type Command, type OptionSpec } from './command.js';
import { commandList } from './command-list.js';
import { PROGRAM, UsageError } from './errors.js';
import { commonOptions, heading, layout, optionText, overviewNote, pathOf, restOf } from './help.js';

/** A call whose arguments are as its command describes them. */
export interface ParsedCall {
  readonly command: Command;
  readonly arguments: Arguments;
}

const TOO_MANY = 'One argument too many: a value stands behind its option, one with spaces in quotes';

/**
 * Reads a call: the command with its arguments, or the text of the help that it asks for.
 * @throws UsageError that names the option and quotes no value: it might be a secret
 */
export async function parseCall(
  args: readonly string[],
  language: 'zh' | 'en' = 'en',
): Promise<ParsedCall | string> {
  const [first, ...rest] = args;
  const words = first === 'help' ? [...rest, '--help'] : [...args];
  const parsing = new Parsing(words, language);
  try {
    await parsing.program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
  return parsing.call ?? parsing.printed.trimEnd();
}

/** One call on its way through the library, which knows every command by name, and by its options the one that is called. */
class Parsing {
  readonly program = new Program(PROGRAM);
  call: ParsedCall | undefined;
  printed = '';

  constructor(
    private readonly words: readonly string[],
    private readonly language: 'zh' | 'en',
  ) {
    this.program
      .configureHelp({ ...layout, styleTitle: (title) => heading(title, language) })
      .configureOutput({ writeOut: (text) => (this.printed += text), writeErr: () => undefined })
      .helpOption('-h, --help', optionText(commonOptions.help, language))
      .helpCommand(false)
      .enablePositionalOptions()
      .version(version(), '--version', optionText(commonOptions.version, language));
    this.addGroup(this.program);
    for (const { name, summary } of commandList) {
      const [last = '', group] = name.split(' ').reverse();
      const parent = group === undefined ? this.program : this.groupNamed(group);
      parent.command(last).summary(summary[language]).copyInheritedSettings(parent);
    }
  }

  private groupNamed(name: string): Program {
    const known = this.program.commands.find((each) => each.name() === name);
    return known ?? this.addGroup(this.program.command(name));
  }

  private addGroup(group: Program): Program {
    return group
      .usage('<command> [options]')
      .option('--json', optionText(commonOptions.json, this.language))
      .addHelpText('after', () => overviewNote(group, this.language))
      .exitOverride((error) => refuse(group, error))
      .hook('preSubcommand', async (_, called) => {
        const listed = commandList.find(({ name }) => name === pathOf(called));
        if (listed !== undefined) this.describe(called, await listed.load());
      });
  }

  private describe(called: Program, command: Command): void {
    const { language } = this;
    const options = new Map<string, string[]>();
    const parameters = command.parameters.map((name) => `<${name}>`);
    for (const parameter of parameters) called.argument(parameter);
    for (const [name, spec] of Object.entries({ ...command.options, json: commonOptions.json }))
      called
        .addOption(new Option(flagsOf(name, spec), optionText(spec, language)))
        .on(`option:${name}`, (value?: string) => {
          const given = [...(options.get(name) ?? []), this.checked(`--${name}`, spec, value)];
          if (given.length > 1 && spec.repeated !== true && name !== 'json')
            throw new UsageError(`--${name} was given ${given.length} times`, command.name);
          options.set(name, given);
        });
    called
      .description(command.description[language])
      .usage([...parameters, '[options]'].join(' '))
      .addHelpText('after', restOf(command, language))
      .exitOverride((error) => refuse(called, error, command))
      .action(() => {
        const given = command.parameters.map((name, index) => [name, called.args[index] ?? ''] as const);
        this.call = { command, arguments: new Arguments(new Map(given), options) };
      });
  }

  /** An option behind another is no value of it, unless it was meant: `--name=--x`. */
  private checked(flag: string, { value: expected }: OptionSpec, value = ''): string {
    const isOption = value.startsWith('--') && !this.words.includes(`${flag}=${value}`);
    if (expected !== undefined && isOption) throw new UsageError(`${flag}: expected ${expected}`);
    return value;
  }
}

function flagsOf(name: string, { value }: OptionSpec): string {
  return value === undefined ? `--${name}` : `--${name} <${value}>`;
}

/** The library's own messages quote what was given, so what they are about is said anew. */
function refuse(called: Program, error: CommanderError, command?: Command): never {
  if (error.exitCode === 0) throw error;
  throw new UsageError(wordsFor(called, error, command), pathOf(called));
}

function wordsFor(called: Program, { code, message }: CommanderError, command?: Command): string {
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? '';
  const similar = /\(Did you mean (.+)\?\)$/.exec(message)?.[1];
  const group = pathOf(called);
  const suggest = (prefix: string) => (similar === undefined ? '' : `. Did you mean ${prefix}${similar}?`);
  switch (code) {
    case 'commander.unknownOption':
      return unknownOption(called, quoted, command) + suggest('');
    case 'commander.unknownCommand':
      return `Unknown command "${`${group} ${quoted}`.trim()}"${suggest(group === '' ? '' : `${group} `)}`;
    case 'commander.missingArgument':
      return `Missing <${quoted}>`;
    case 'commander.optionMissingArgument':
      return quoted.replace(/^(\S+) <(.*)>$/, '$1: expected $2');
    case 'commander.excessArguments':
      return command?.refuse?.(null) ?? TOO_MANY;
    default:
      return group === ''
        ? 'No command given'
        : `${group} needs one of: ${called.commands.map((each) => each.name()).join(', ')}`;
  }
}

function unknownOption(called: Program, given: string, command?: Command): string {
  const [flag = ''] = given.split('=');
  const isSwitch = flag === '--help' || called.options.some(({ long }) => long === flag);
  if (isSwitch) return `${flag} takes no value`;
  const named = flag.startsWith('--') ? flag : flag.slice(0, 2);
  return command?.refuse?.(flag.slice(2)) ?? `Unknown option ${named}`;
}

function version(): string {
  const read: unknown = createRequire(import.meta.url)('nestjs-wechat-iam/package.json');
  const isNamed = typeof read === 'object' && read !== null && 'version' in read;
  return isNamed ? String(read.version) : '';
}
