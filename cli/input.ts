import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable, type Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import type { Text } from './output.js';
import type { Environment } from './environment.js';
import { CommandError, UsageError } from './errors.js';
import { write } from './output.js';

/** Standard input: a secret a line, or a whole document. A person at a terminal is asked, and what they type is not shown. */
export class StandardInput {
  private lines: string[] | undefined;

  constructor(
    private readonly stdin: Readable,
    private readonly stderr: Writable,
  ) {}

  /** Everything there is. */
  text(): Promise<string> {
    return readText(this.stdin);
  }

  /** The next line; `name` says for what. @throws UsageError when there is none */
  async line(name: string): Promise<string> {
    const line = this.isTerminal() ? await this.ask(name) : await this.next();
    if (line === undefined || line.trim() === '')
      throw new UsageError(`${name}: expected a line of standard input`);
    return line.trim();
  }

  private isTerminal(): boolean {
    return 'isTTY' in this.stdin && this.stdin.isTTY === true;
  }

  private async next(): Promise<string | undefined> {
    this.lines ??= (await this.text()).split(/\r?\n/);
    return this.lines.shift();
  }

  /** Ctrl-C leaves without an answer. */
  private async ask(name: string): Promise<string | undefined> {
    await write(this.stderr, `${name}: `);
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const terminal = createInterface({ input: this.stdin, output: nowhere, terminal: true });
    const aborted = new AbortController();
    terminal.once('SIGINT', () => aborted.abort());
    try {
      return await terminal.question('', { signal: aborted.signal });
    } catch (cause) {
      throw new CommandError('interrupted', 'Interrupted: nothing was changed', { cause });
    } finally {
      terminal.close();
      await write(this.stderr, '\n');
    }
  }
}

/** Where a call can read a secret. */
interface SecretPlaces {
  readonly input: StandardInput;
  readonly environment: Environment;
}

/** How the help calls a place that a secret is read from. */
export const SOURCE = 'SOURCE';

/** What a source is, for the help. */
export const sourceHelp: Text = {
  en: 'A secret is never an argument, which other users of the machine and the history of the shell would see. SOURCE says where it\nis: `-` a line of standard input (asked for at a terminal, unseen), `env:NAME` an environment variable, else a file.',
  zh: '密钥不能写在参数中，否则本机其他用户与 shell 历史都能看到。SOURCE 说明它在哪里：`-` 为标准输入的一行\n（在终端中会提示输入，不显示），`env:NAME` 为环境变量，其余为文件。',
};

/** The refusal of a secret that was given itself. */
export const secretInArguments = (option: string): string =>
  `A secret does not belong into an argument: every process of the machine sees it, and the shell's history keeps it (change it if it was real). Use --${option} - for standard input, env:NAME or a file`;

/** The secret at a place; a message never quotes the place, which might be the secret. @throws UsageError */
export async function readSecret(source: string, option: string, from: SecretPlaces): Promise<string> {
  if (source === '-') return from.input.line(`--${option}`);
  const text = source.startsWith('env:') ? fromVariable(source.slice(4), from) : await fromFile(source);
  if (text === undefined || text.trim() === '')
    throw new UsageError(
      `--${option}: nothing there. Expected - (standard input), env:NAME of a variable that is set, or the path of a file`,
    );
  return text.trim();
}

/** A whole document. */
export async function readDocument(source: string, option: string, from: SecretPlaces): Promise<string> {
  return source === '-' ? from.input.text() : readSecret(source, option, from);
}

function fromVariable(name: string, { environment }: SecretPlaces): string | undefined {
  return environment.read(name);
}

async function fromFile(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
