import { readFile } from 'node:fs/promises';
import type { Call } from './command.js';
import { UsageError } from './errors.js';

/** How the help calls a place that a secret is read from. */
export const SOURCE = 'SOURCE';

/** What a source is, for the help. */
export const sourceHelp =
  'A secret is never an argument, which other users of the machine and the history of the shell would see. SOURCE says where it\nis: `-` a line of standard input (asked for at a terminal, unseen), `env:NAME` an environment variable, else a file.';

/** What to say to whoever gives a secret itself. */
export const secretInArguments = (option: string): string =>
  `A secret does not belong into an argument: every process of the machine sees it, and the shell's history keeps it (change it if it was real). Use --${option} - for standard input, env:NAME or a file`;

/** The secret at a place; a message never quotes the place, which might be the secret. @throws UsageError */
export async function readSecret(source: string, option: string, call: Call): Promise<string> {
  if (source === '-') return call.input.line(`--${option}`);
  const text = source.startsWith('env:') ? fromVariable(source.slice(4), call) : await fromFile(source);
  if (text === undefined || text.trim() === '')
    throw new UsageError(
      `--${option}: nothing there. Expected - (standard input), env:NAME of a variable that is set, or the path of a file`,
    );
  return text.trim();
}

/** A whole document. */
export async function readDocument(source: string, option: string, call: Call): Promise<string> {
  return source === '-' ? call.input.text() : readSecret(source, option, call);
}

function fromVariable(name: string, { environment }: Call): string | undefined {
  return environment.read(name);
}

async function fromFile(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
