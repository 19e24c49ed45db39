/** Wrong arguments: shown with the way to the help, exit code 2. It never quotes a value, which might be a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
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
