import stringWidth from 'string-width';
import type { Readable, Writable } from 'node:stream';
import { PROGRAM, type Failure } from './errors.js';

/** The same in both languages of the help. */
export interface Text {
  readonly en: string;
  readonly zh: string;
}

/** What a process has; a test gives its own. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Writes it all; false when the reader has gone away (EPIPE), as `| head` does: there is no reader to reportFailure to. */
export async function write(stream: Writable, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(error === undefined || error === null));
  });
}

/** Without a listener, a reader that goes away would end the process in the middle of its work. */
export function outliveReaders({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

function ignore(): void {
  // The caller of `write` is told.
}

/** What a call says, in the form that was asked for; results go to standard output, everything else to standard error. */
export class Output {
  constructor(
    private readonly streams: Streams,
    private readonly form: 'json' | 'text',
  ) {}

  /** False when nobody reads it any more. */
  result({ json, text }: { readonly json: unknown; readonly text: string }): Promise<boolean> {
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

/** What a cell may hold; null and the empty text are shown as `–`. */
export type Cell = string | number | boolean | null;

/** Rows under a heading, columns aligned by what a terminal shows. Nothing is cut off. */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return align([heading, ...rows]);
}

/** Names and their values, one pair a line. */
export function pairs(entries: Readonly<Record<string, Cell>>): string {
  return align(Object.entries(entries));
}

function align(rows: readonly (readonly Cell[])[]): string {
  const lines = rows.map((row) => row.map(show));
  const columns = Math.max(0, ...lines.map(({ length }) => length));
  // Nothing stands behind the last column, whose texts are the longest: to measure them takes a millisecond each.
  const widths = Array.from({ length: columns - 1 }, (_, column) =>
    Math.max(...lines.map((line) => stringWidth(line[column] ?? ''))),
  );
  const pad = (text: string, column: number) => {
    const width = widths[column];
    return width === undefined ? text : text + ' '.repeat(width - stringWidth(text));
  };
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

function show(cell: Cell): string {
  if (cell === null || cell === '') return '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return visible(String(cell));
}

/** Control characters, escape sequences among them, and marks that reorder what stands around them. */
const dangerous = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Text of strangers (a nickname, say) on one line, without what would drive the terminal. */
export function visible(text: string): string {
  return text.replace(dangerous, '\ufffd');
}

/** Text of ours, lines and all, likewise. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** JSON whose strings are harmless when a terminal shows them. */
export function visibleJson(value: unknown): string {
  const lines = JSON.stringify(value, null, 2).split('\n');
  return lines.map((line) => line.replace(dangerous, escapeOf)).join('\n');
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
