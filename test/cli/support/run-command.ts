import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../../cli/run-cli.js';
import { briefly, endChildWithTests } from '../../support/end-with-tests.js';
import { joinProgram } from '../../support/join-program.mjs';

/** What a call of the command line came to. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, read as JSON. */
  json(): unknown;
}

/** What a call is given. */
export interface Given {
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** What stands in standard input; nothing by default. */
  readonly input?: string;
}

/** Runs a command in this process, with streams and variables of its own. */
export async function command(
  args: readonly string[],
  { variables = {}, input = '' }: Given = {},
): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const read = Promise.all([text(stdout), text(stderr)]);
  const exitCode = await runCli(args, { stdin: Readable.from([input]), stdout, stderr, variables });
  stdout.end();
  stderr.end();
  return toOutcome(exitCode, ...(await read));
}

/** How a command is started as a process; `NODE_OPTIONS` of the tests stay out. */
export interface ProcessGiven extends Given {
  /** More of Node's own arguments. */
  readonly nodeArguments?: readonly string[];
}

/** Starts a command in a process of its own, of what the TypeScript source is now. */
export async function spawnCommand(
  args: readonly string[],
  { variables = {}, nodeArguments = [] }: ProcessGiven = {},
): Promise<ChildProcessWithoutNullStreams> {
  const program = await joinProgram(fileURLToPath(new URL('../../../cli/main.ts', import.meta.url)));
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [...briefly, ...nodeArguments, program, ...args], {
    env: { PATH, HOME, ...variables },
  });
  void endChildWithTests(child);
  return child;
}

/** As `command`, in a process of its own. */
export async function commandProcess(args: readonly string[], given: ProcessGiven = {}): Promise<Outcome> {
  const child = await spawnCommand(args, given);
  child.stdin.end(given.input ?? '');
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  return toOutcome(child.exitCode, stdout, stderr);
}

function toOutcome(exitCode: number | null, stdout: string, stderr: string): Outcome {
  return { exitCode, stdout, stderr, json: (): unknown => JSON.parse(stdout) };
}
