import type { Arguments } from './arguments.js';
import type { Environment, VariableName } from './environment.js';
import type { StandardInput } from './standard-input.js';

/** An option of a command, without its dashes. */
export interface OptionSpec {
  /** What its value is called in the help; an option without one is a switch. */
  readonly value?: string;
  readonly summary: string;
  /** It may be given several times. */
  readonly repeated?: true;
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
  /** A line on standard error for whoever waits. */
  readonly progress: (line: string) => void;
  /** For a command that goes on running; the others return their result. False when nobody reads it any more. */
  readonly print: (result: Result) => Promise<boolean>;
}

/** One command of `npx nestjs-wechat-iam`; the help is made from this. */
export interface Command {
  /** E.g. `provider add`. */
  readonly name: string;
  readonly description: string;
  /** The help in Chinese; a command without it has English alone. */
  readonly zh?: { readonly description: string; readonly options: Readonly<Record<string, string>> };
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
