import { parseCall, type ParsedCall } from './program.js';
import { Environment } from './environment.js';
import { CommandError, describeFailure, UsageError } from './errors.js';
import { StandardInput } from './input.js';
import { outliveReaders, Output, type Streams } from './output.js';

/** What a call runs in; by default the process. */
export interface CheckEnvironment extends Streams {
  readonly variables: Readonly<Record<string, string | undefined>>;
}

const ofTheProcess = (): CheckEnvironment => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  variables: process.env,
});

const LOST = 'Standard output was closed: what was generated is stored and cannot be shown again';

/** Runs the command that the arguments name. Exit code 0: done; 1: it failed or found problems; 2: it was called wrongly. */
export async function runCli(
  args: readonly string[],
  surroundings: CheckEnvironment = ofTheProcess(),
): Promise<number> {
  outliveReaders(surroundings);
  const output = new Output(surroundings, args.includes('--json') ? 'json' : 'text');
  const environment = new Environment(surroundings.variables);
  let parsed: ParsedCall | string = '';
  try {
    parsed = await parseCall(args, environment.language);
    if (typeof parsed !== 'string') return await run(parsed, { output, environment, surroundings });
    await output.help(parsed);
    return 0;
  } catch (error) {
    const failure = await describeFailure(error, environment.secrets);
    const called = error instanceof UsageError ? error.called : undefined;
    await output.failure(failure, called ?? (typeof parsed === 'string' ? '' : parsed.command.name));
    return failure.exitCode;
  }
}

interface Around {
  readonly output: Output;
  readonly environment: Environment;
  readonly surroundings: CheckEnvironment;
}

async function run(parsed: ParsedCall, { output, environment, surroundings }: Around): Promise<number> {
  const result = await parsed.command.run({
    arguments: parsed.arguments,
    environment,
    input: new StandardInput(surroundings.stdin, surroundings.stderr),
    progress: (line) => output.progress(line),
    print: (early) => output.result(early),
  });
  if (result === null) return 0;
  const isRead = await output.result(result);
  if (!isRead && result.isShownOnce === true) throw new CommandError('output_lost', LOST);
  return result.foundProblems === true ? 1 : 0;
}
