import { inspect } from 'node:util';
import type { Logger } from 'typeorm';

/** What a host sees that lets TypeORM log every statement with its parameters. */
export class StatementLog implements Logger {
  readonly lines: string[] = [];

  get text(): string {
    return this.lines.join('\n');
  }

  logQuery(query: string, parameters?: unknown): void {
    this.keep(query, parameters);
  }
  logQueryError(error: string | Error, query: string, parameters?: unknown): void {
    this.keep(String(error), query, parameters);
  }
  logQuerySlow(_time: number, query: string, parameters?: unknown): void {
    this.keep(query, parameters);
  }
  logSchemaBuild(message: string): void {
    this.keep(message);
  }
  logMigration(message: string): void {
    this.keep(message);
  }
  log(_level: string, message: unknown): void {
    this.keep(message);
  }

  private keep(...parts: unknown[]): void {
    this.lines.push(parts.map((part) => inspect(part, { depth: 6, maxStringLength: null })).join(' '));
  }
}
