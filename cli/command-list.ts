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
    name: 'provider list',
    summary: 'list the identity providers',
    load: async () => (await import('./commands/provider-list.command.js')).providerListCommand,
  },
  {
    name: 'provider add',
    summary: 'create an identity provider',
    load: async () => (await import('./commands/provider-add.command.js')).providerAddCommand,
  },
  {
    name: 'provider set',
    summary: 'change an identity provider',
    load: async () => (await import('./commands/provider-set.command.js')).providerSetCommand,
  },
  {
    name: 'provider check',
    summary: 'ask WeChat whether one is set up rightly',
    load: async () => (await import('./commands/provider-check.command.js')).providerCheckCommand,
  },
  {
    name: 'provider rotate',
    summary: 'replace a secret of one',
    load: async () => (await import('./commands/provider-rotate.command.js')).providerRotateCommand,
  },
  {
    name: 'provider migrate',
    summary: 'move people to another Official Account',
    load: async () => (await import('./commands/provider-migrate.command.js')).providerMigrateCommand,
  },
  {
    name: 'user find',
    summary: 'find users by id, openid, unionid, external id or nickname',
    load: async () => (await import('./commands/user-find.command.js')).userFindCommand,
  },
  {
    name: 'user roles',
    summary: 'show, give and take the roles of a user',
    load: async () => (await import('./commands/user-roles.command.js')).userRolesCommand,
  },
  {
    name: 'role list',
    summary: 'list the roles and what they permit',
    load: async () => (await import('./commands/role-list.command.js')).roleListCommand,
  },
  {
    name: 'role add',
    summary: 'create a role',
    load: async () => (await import('./commands/role-add.command.js')).roleAddCommand,
  },
  {
    name: 'role set',
    summary: 'change what a role permits',
    load: async () => (await import('./commands/role-set.command.js')).roleSetCommand,
  },
  {
    name: 'keys list',
    summary: 'show which keys sign and seal',
    load: async () => (await import('./commands/keys-list.command.js')).keysListCommand,
  },
  {
    name: 'keys rotate',
    summary: 'make a new key for access tokens',
    load: async () => (await import('./commands/keys-rotate.command.js')).keysRotateCommand,
  },
  {
    name: 'keys reseal',
    summary: 'seal everything anew with the first of IAM_KEYS',
    load: async () => (await import('./commands/keys-reseal.command.js')).keysResealCommand,
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
