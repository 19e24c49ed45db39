import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';

/** One call of a logger, as much of it as any logger could write: objects in full depth, with hidden properties of errors. */
export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** A Nest logger that keeps everything it is told. */
export class LogCapture implements LoggerService {
  readonly lines: LogLine[] = [];

  log(...parts: unknown[]): void {
    this.keep('log', parts);
  }
  error(...parts: unknown[]): void {
    this.keep('error', parts);
  }
  warn(...parts: unknown[]): void {
    this.keep('warn', parts);
  }
  debug(...parts: unknown[]): void {
    this.keep('debug', parts);
  }
  verbose(...parts: unknown[]): void {
    this.keep('verbose', parts);
  }
  fatal(...parts: unknown[]): void {
    this.keep('fatal', parts);
  }

  /** Everything so far as one text. */
  get text(): string {
    return this.lines.map(({ text }) => text).join('\n');
  }

  /** The lines in which a text occurs. */
  with(text: string): LogLine[] {
    return this.lines.filter((line) => line.text.includes(text));
  }

  clear(): void {
    this.lines.length = 0;
  }

  private keep(level: string, parts: readonly unknown[]): void {
    const texts = parts.map((part) =>
      typeof part === 'string' ? part : inspect(part, { depth: 8, showHidden: true, maxStringLength: null }),
    );
    this.lines.push({ level, text: texts.join(' ') });
  }
}
