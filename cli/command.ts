import type { Environment, VariableName } from './environment.js';
import { UsageError } from './errors.js';
import type { StandardInput } from './input.js';
import type { Text } from './output.js';

/** An option of a command, without its dashes. */
export interface OptionSpec {
  /** What its value is called in the help; an option without one is a switch. */
  readonly value?: string;
  readonly summary: Text;
  /** It may be given several times. */
  readonly repeated?: true;
}

/** The arguments of a call, after they were found to be as its command describes them. */
export class Arguments {
  constructor(
    private readonly parameters: ReadonlyMap<string, string>,
    private readonly options: ReadonlyMap<string, readonly string[]>,
  ) {}

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

/** What a command says at its end: `--json` prints `json`, else people read `text`. */
export interface Result {
  readonly json: unknown;
  readonly text: string;
  /** It ran, and found something wrong: exit code 1. */
  readonly foundProblems?: boolean;
  /** It cannot be asked for again: that it did not reach a reader is a failure. */
  readonly isShownOnce?: boolean;
}

/** One call of a command, with its arguments checked against its description. */
export interface Call {
  readonly arguments: Arguments;
  readonly environment: Environment;
  readonly input: StandardInput;
  /** Writes a line of progress to standard error. */
  readonly progress: (line: string) => void;
  /** For a command that goes on running; the others return their result. False when nobody reads it any more. */
  readonly print: (result: Result) => Promise<boolean>;
}

/** One command of `npx nestjs-wechat-iam`; the help is made from this. */
export interface Command {
  /** E.g. `provider add`. */
  readonly name: string;
  readonly description: Text;
  /** The arguments that must be given, in order, e.g. `slug`. */
  readonly parameters: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** The environment variables that it reads. */
  readonly variables: readonly VariableName[];
  /** Without the program's name. */
  readonly example: string;
  /** What to say, instead of the usual, to an option that it does not have, or to an argument too many (null). */
  readonly refuse?: (option: string | null) => string | null;
  run(call: Call): Promise<Result | null>;
}

/** `--lang`, of commands that say more than names and numbers. */
export const languageOption: OptionSpec = {
  value: 'zh-CN|en',
  summary: { en: 'the language of what is said (default by LANG)', zh: '输出所用的语言（默认由 LANG 决定）' },
};

/** The language that was asked for, else that of the shell. @throws UsageError */
export function languageOf({ arguments: given, environment }: Call): 'zh' | 'en' {
  const asked = given.value('lang');
  if (asked === undefined) return environment.language;
  if (!/^(zh|en)\b/i.test(asked)) throw new UsageError('--lang: expected zh-CN or en');
  return /^zh/i.test(asked) ? 'zh' : 'en';
}

/** `true` and `false` as they are typed; anything else is left to the rule of the column or member. */
export function toBoolean(text: string): unknown {
  return text === 'true' ? true : text === 'false' ? false : text;
}
