import { DataSource } from 'typeorm';
import { createDatabase, type DatabaseTemplate, type TestDatabase } from '../../support/database.js';
import { testKey } from '../../support/iam-app.js';
import { rowsOf } from '../../support/rows.js';
import { migrationSource } from '../../support/templates.js';
import { command, type Given, type Outcome } from './run-command.js';

/** Somebody at a shell of a server: a database, and the variables that the commands read. */
export interface Operator {
  readonly database: TestDatabase;
  readonly key: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Runs a command; `variables` are added to the operator's own, undefined takes one away. */
  run(args: readonly string[], given?: Given): Promise<Outcome>;
  /** As `run` with `--json`, for one that must succeed: what it printed. */
  json(args: readonly string[], given?: Given): Promise<Record<string, unknown>>;
  query(sql: string, parameters?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** What differs from an operator whose tables are there. */
export interface OperatorOptions {
  readonly isEmpty?: boolean;
  readonly variables?: Readonly<Record<string, string>>;
}

/** Migrated by the command line itself, which keeps its migrations in a table of its own. */
const migrated: DatabaseTemplate = {
  key: `command line\n${migrationSource}`,
  prepare: async (url) => {
    const variables = { DATABASE_URL: url, IAM_KEYS: testKey() };
    const { exitCode, stdout } = await command(['migrate', '--json'], { variables });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stdout}`);
  },
};

/** An operator with a database of their own. */
export async function startOperator({ isEmpty = false, variables }: OperatorOptions = {}): Promise<Operator> {
  const database = await createDatabase(isEmpty ? undefined : migrated);
  const key = testKey();
  const own = { DATABASE_URL: database.url, IAM_KEYS: key, ...variables };
  const source = await new DataSource({ type: 'postgres', url: database.url }).initialize();
  const run = (args: readonly string[], given: Given = {}) =>
    command(args, { ...given, variables: { ...own, ...given.variables } });
  const json = async (args: readonly string[], given: Given = {}) => {
    const outcome = await run([...args, '--json'], given);
    if (outcome.exitCode !== 0) throw new Error(`exit code ${outcome.exitCode}: ${outcome.stdout}`);
    return recordOf(outcome.json());
  };
  return {
    database,
    key,
    variables: own,
    run,
    json,
    query: (sql, parameters) => rowsOf(source, sql, parameters),
    close: async () => {
      await source.destroy();
      await database.drop();
    },
  };
}

/** A JSON object, or else a failed test. */
export function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`no object: ${String(value)}`);
  return { ...value };
}
