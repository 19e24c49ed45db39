import type { Result } from './command.js';
import type { Failure } from './failure.js';
import { PROGRAM } from './help-text.js';
import { write, type Streams } from './streams.js';
import { visibleJson, visibleLines } from './visible-text.js';

/** What a call says, in the form that was asked for; results go to standard output, everything else to standard error. */
export class Output {
  constructor(
    private readonly streams: Streams,
    private readonly form: 'json' | 'text',
  ) {}

  /** False when nobody reads it any more. */
  result({ json, text }: Result): Promise<boolean> {
    const whole = this.form === 'json' ? visibleJson(json) : visibleLines(text);
    return write(this.streams.stdout, `${whole}\n`);
  }

  help(text: string): Promise<boolean> {
    return write(this.streams.stdout, `${text}\n`);
  }

  progress(line: string): void {
    void write(this.streams.stderr, `${visibleLines(line)}\n`);
  }

  /** `called` is where the help for it is found. */
  async failure({ code, message, exitCode }: Failure, called: string): Promise<void> {
    if (this.form === 'json')
      await write(this.streams.stdout, `${visibleJson({ error: { code, message } })}\n`);
    else await write(this.streams.stderr, `${visibleLines(sentence(message, exitCode, called))}\n`);
  }
}

function sentence(message: string, exitCode: 1 | 2, called: string): string {
  const ended = /[.?!]$/.test(message) ? message : `${message}.`;
  return exitCode === 1 ? ended : `${ended} Try: ${[PROGRAM, called].join(' ').trim()} --help`;
}
