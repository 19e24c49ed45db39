import { CommandError, EnvironmentError, UsageError } from './errors.js';

/** What an error comes to: `code` is stable, `exitCode` 2 means that the call or the environment was wrong. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: 1 | 2;
}

/** Words for whoever called; `secrets` are taken out of messages that others have worded. */
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
