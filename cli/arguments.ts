import { parseArgs } from 'node:util';
import type { Command, OptionSpec } from './command.js';
import { nearestName } from './nearest-name.js';
import { UsageError } from './errors.js';

/** Options that every command has. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { summary: 'print one JSON document, also for an error' },
  help: { summary: 'show this text' },
};

const TOO_MANY = 'One argument too many: a value stands behind its option, one with spaces in quotes';

/** The arguments of a call, after they were found to be as its command describes them. */
export class Arguments {
  private constructor(
    private readonly parameters: ReadonlyMap<string, string>,
    private readonly options: ReadonlyMap<string, readonly string[]>,
  ) {}

  /** @throws UsageError that names the option and quotes no value: it might be a secret */
  static parse(command: Command, args: readonly string[]): Arguments {
    const options = new Map<string, string[]>();
    const given: string[] = [];
    for (const token of tokensOf(command, args)) {
      if (token.kind === 'positional') given.push(token.value);
      if (token.kind !== 'option') continue;
      const value = valueOf(command, token);
      options.set(token.name, [...(options.get(token.name) ?? []), value]);
    }
    refuseRepeated(command, options);
    return new Arguments(nameParameters(command, given), options);
  }

  /** An argument that must be given. */
  get(parameter: string): string {
    const value = this.parameters.get(parameter);
    if (value === undefined) throw new UsageError(`Missing <${parameter}>`);
    return value;
  }

  /** The value of an option; undefined when it was not given. */
  value(option: string): string | undefined {
    return this.options.get(option)?.[0];
  }

  /** The values of an option that may be repeated. */
  values(option: string): readonly string[] {
    return this.options.get(option) ?? [];
  }

  /** The names of the options, in the order in which they were given. */
  get given(): readonly string[] {
    return [...this.options.keys()];
  }

  has(option: string): boolean {
    return this.options.has(option);
  }
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** Not in Node's strict mode, whose messages quote what was given. */
function tokensOf(command: Command, args: readonly string[]) {
  const all = { ...command.options, ...commonOptions };
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { value }]) => [name, typeOf(name, value)] as const),
  );
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function typeOf(name: string, value: string | undefined) {
  const type = value === undefined ? ('boolean' as const) : ('string' as const);
  return name === 'help' ? { type, short: 'h' } : { type };
}

function valueOf(command: Command, { name, rawName, value, inlineValue }: OptionToken): string {
  const all = { ...command.options, ...commonOptions };
  const spec = Object.hasOwn(all, name) ? all[name] : undefined;
  if (spec === undefined) throw new UsageError(command.refuse?.(name) ?? unknownOption(rawName, all));
  if (spec.value === undefined && value !== undefined) throw new UsageError(`${rawName} takes no value`);
  const isMissing = value === undefined || (value.startsWith('--') && inlineValue !== true);
  if (spec.value !== undefined && isMissing) throw new UsageError(`${rawName}: expected ${spec.value}`);
  return value ?? '';
}

function unknownOption(rawName: string, options: Readonly<Record<string, OptionSpec>>): string {
  const nearest = nearestName(rawName.replace(/^-+/, ''), Object.keys(options));
  return `Unknown option ${rawName}${nearest === null ? '' : `. Did you mean --${nearest}?`}`;
}

function refuseRepeated({ options }: Command, given: ReadonlyMap<string, readonly string[]>): void {
  for (const [name, { length }] of given)
    if (length > 1 && options[name]?.repeated !== true && !(name in commonOptions))
      throw new UsageError(`--${name} was given ${length} times`);
}

function nameParameters(
  { parameters, refuse }: Command,
  given: readonly string[],
): ReadonlyMap<string, string> {
  const missing = parameters[given.length];
  if (missing !== undefined) throw new UsageError(`Missing <${missing}>`);
  if (given.length > parameters.length) throw new UsageError(refuse?.(null) ?? TOO_MANY);
  return new Map(parameters.map((parameter, index) => [parameter, given[index] ?? '']));
}
