import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase } from './database.js';
import { briefly, endChildWithTests, endWithTests } from './end-with-tests.js';
import { migrated } from './templates.js';
import { readEnvironment } from '../../example/run/environment.js';

const main = join(import.meta.dirname, '../../dist/example/main.js');
const START_MS = 60_000;

/** The example's pages. */
export interface Shop {
  readonly url: string;
}

/** `npm start` without npm: the built example as a process of its own, with a temporary folder of its own. Its URL is what the ready line says. */
export interface ExampleApp extends Shop {
  /** All of standard output, line by line. */
  output(): readonly string[];
  errors(): string;
  /** What is in its temporary folder now. */
  leftovers(): Promise<readonly string[]>;
  /** Processes that were started for it and still run. */
  processes(): Promise<readonly string[]>;
  /** Sends the signal and waits for the end. Resolves to the exit code, or null after a violent death. */
  stop(signal?: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  /** Stops it and removes its temporary folder. */
  clean(): Promise<void>;
}

/** How a start that failed ended. */
export interface FailedStart {
  readonly exitCode: number | null;
  readonly output: string;
  readonly errors: string;
  readonly leftovers: readonly string[];
}

interface Run {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly texts: { output: string; errors: string };
  readonly ended: Promise<number | null>;
}

async function run(variables: Readonly<Record<string, string>>): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'example-app-'));
  // As root, PostgreSQL runs as somebody else, who must be able to enter.
  await chmod(folder, 0o755);
  const { PATH, LANG, SystemRoot } = process.env;
  const child = spawn(process.execPath, [...briefly, main], {
    env: { PATH, LANG, SystemRoot, TMPDIR: folder, PORT: '0', EMULATOR_PORT: '0', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { output: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.errors += text));
  const ended = endChildWithTests(child, folder);
  return { child, folder, texts, ended };
}

/** Starts the example and waits for its ready line. */
export async function startExample(variables: Readonly<Record<string, string>> = {}): Promise<ExampleApp> {
  const { child, folder, texts, ended } = await run(variables);
  await waitUntil(() => texts.output.includes('\n') || child.exitCode !== null || child.signalCode !== null);
  const url = /^ready (\S+)\n/.exec(texts.output)?.[1];
  if (url === undefined) throw new Error(`the example did not start: ${texts.output}${texts.errors}`);
  const stop = (signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> => {
    child.kill(signal);
    return ended;
  };
  return {
    url,
    output: () => texts.output.split('\n').slice(0, -1),
    errors: () => texts.errors,
    leftovers: () => readdir(folder),
    processes: () => processesNaming(folder),
    stop,
    clean: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts the example on a migrated database of the tests' own server: a server of its own takes two seconds of CPU. */
export async function startShop(variables: Readonly<Record<string, string>> = {}): Promise<ExampleApp> {
  const database = await createDatabase(migrated);
  const shop = await startExample({ DATABASE_URL: database.url, ...variables });
  return { ...shop, clean: () => shop.clean().finally(() => database.drop()) };
}

/**
 * Opens the example in this process, from its sources, on a migrated database, until the tests end: for stories about its pages. A
 * process of its own takes a second of CPU more.
 */
export async function openShop(
  variables: Readonly<Record<string, string>> = {},
): Promise<Shop & { readonly databaseUrl: string }> {
  const { Logger } = await import('@nestjs/common');
  const { openApp } = await import('../../example/open-app.js');
  const database = await createDatabase(migrated);
  const closings = [() => database.drop()];
  endWithTests(async () => {
    for (const close of closings.toReversed()) await close();
  });
  const environment = readEnvironment({
    ...{
      DATABASE_URL: database.url,
      IAM_KEY: randomBytes(32).toString('base64'),
      PORT: '0',
      EMULATOR_PORT: '0',
    },
    ...variables,
  });
  const { publicUrl } = await openApp(environment, { onClose: (close) => closings.push(close) });
  if (process.env['IAM_TEST_LOG'] === undefined) Logger.overrideLogger(false);
  return { url: publicUrl, databaseUrl: database.url };
}

/** Runs the example where it cannot start. */
export async function failToStart(variables: Readonly<Record<string, string>>): Promise<FailedStart> {
  const { folder, texts, ended } = await run(variables);
  const exitCode = await ended;
  const leftovers = await readdir(folder);
  await rm(folder, { recursive: true });
  return { exitCode, ...texts, leftovers };
}

/** Waits until the condition holds; fails after a minute. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + START_MS;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Processes with this text in their command line: PostgreSQL and its watchdog carry the temporary folder in their command line. Empty where /proc is not there to ask. */
export async function processesNaming(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(folder));
}
