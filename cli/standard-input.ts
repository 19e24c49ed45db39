import { createInterface } from 'node:readline/promises';
import { Writable, type Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { write } from './streams.js';
import { CommandError, UsageError } from './errors.js';

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
