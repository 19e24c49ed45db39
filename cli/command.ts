/** Wrong arguments: shown with the way to the help, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One command of `npx nestjs-wechat-iam`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Resolves when the command has done its work; throws `UsageError` for wrong arguments. */
  run(args: readonly string[]): Promise<void>;
}
