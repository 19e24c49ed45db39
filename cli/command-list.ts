import type { Command } from './command.js';
import type { Summary } from './help-text.js';

/** A command that is read from disk when it is called: the emulator alone needs neither Nest nor PostgreSQL's driver. */
export interface ListedCommand extends Summary {
  load(): Promise<Command>;
}

/** Every command, in the order of the help. */
export const commandList: readonly ListedCommand[] = [
  {
    name: 'migrate',
    summary: 'create or update the tables of the schema iam',
    load: async () => (await import('./commands/migrate.command.js')).migrateCommand,
  },
  {
    name: 'emulator',
    summary: 'start the WeChat platform emulator alone',
    load: async () => (await import('./commands/emulator.command.js')).emulatorCommand,
  },
];

/** How many words at the beginning of the arguments name a command. */
export interface FoundCommand {
  readonly command: ListedCommand;
  readonly words: number;
}

/** The command that the first words name; null when they name none. */
export function findCommand(args: readonly string[]): FoundCommand | null {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ');
    const command = commandList.find((each) => each.name === name);
    if (command !== undefined) return { command, words };
  }
  return null;
}

/** The commands whose first word is this, and that have another. */
export function commandsOf(group: string): readonly ListedCommand[] {
  return commandList.filter(({ name }) => name.startsWith(`${group} `));
}
