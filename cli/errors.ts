/** The program's name in every text. */
export const PROGRAM = 'nestjs-wechat-iam';

/** Wrong arguments: shown with the way to the help, exit code 2. It never quotes a value, which might be a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** `called` is the command whose help explains it, where no command has begun to run. */
  constructor(
    message: string,
    readonly called?: string,
  ) {
    super(message);
  }
}

/** An environment variable is missing or wrong: the message names it and never quotes it. Exit code 2. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** What a command cannot do, with a stable code for `--json`. Exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an error comes to: `code` is stable, `exitCode` 2 means that the call or the environment was wrong. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: 1 | 2;
}

/** What the caller is told; `secrets` are taken out of messages that others have worded. */
export async function describeFailure(error: unknown, secrets: readonly string[]): Promise<Failure> {
  if (error instanceof UsageError) return { code: 'usage', message: error.message, exitCode: 2 };
  if (error instanceof EnvironmentError) return { code: 'environment', message: error.message, exitCode: 2 };
  if (error instanceof CommandError) return { code: error.code, message: error.message, exitCode: 1 };
  const { describeModuleFailure } = await import('./module-failure.js');
  const failure = describeModuleFailure(error);
  return { ...failure, message: redact(failure.message, secrets) };
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '[secret]'), text);
}
