import type { Command } from './command.js';

/** A command that is read from disk when it is called: the emulator alone needs neither Nest nor PostgreSQL's driver. */
export interface ListedCommand {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

const providers = () => import('./commands/provider.commands.js');
const users = () => import('./commands/user.commands.js');
const roles = () => import('./commands/role.commands.js');
const keys = () => import('./commands/keys.commands.js');

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
    load: async () => (await providers()).providerListCommand,
  },
  {
    name: 'provider add',
    summary: 'create an identity provider',
    load: async () => (await providers()).providerAddCommand,
  },
  {
    name: 'provider set',
    summary: 'change an identity provider',
    load: async () => (await providers()).providerSetCommand,
  },
  {
    name: 'provider check',
    summary: 'ask WeChat whether one is set up rightly',
    load: async () => (await import('./commands/provider-check.command.js')).providerCheckCommand,
  },
  {
    name: 'provider rotate',
    summary: 'replace a secret of one',
    load: async () => (await providers()).providerRotateCommand,
  },
  {
    name: 'provider migrate',
    summary: 'move people to another Official Account',
    load: async () => (await import('./commands/provider-migrate.command.js')).providerMigrateCommand,
  },
  {
    name: 'user find',
    summary: 'find users by id, openid, unionid, external id or nickname',
    load: async () => (await users()).userFindCommand,
  },
  {
    name: 'user roles',
    summary: 'show, give and take the roles of a user',
    load: async () => (await users()).userRolesCommand,
  },
  {
    name: 'role list',
    summary: 'list the roles and what they permit',
    load: async () => (await roles()).roleListCommand,
  },
  {
    name: 'role add',
    summary: 'create a role',
    load: async () => (await roles()).roleAddCommand,
  },
  {
    name: 'role set',
    summary: 'change what a role permits',
    load: async () => (await roles()).roleSetCommand,
  },
  {
    name: 'keys list',
    summary: 'show which keys sign and seal',
    load: async () => (await keys()).keysListCommand,
  },
  {
    name: 'keys rotate',
    summary: 'make a new key for access tokens',
    load: async () => (await keys()).keysRotateCommand,
  },
  {
    name: 'keys reseal',
    summary: 'seal everything anew with the first of IAM_KEYS',
    load: async () => (await keys()).keysResealCommand,
  },
  {
    name: 'emulator',
    summary: 'start the WeChat platform emulator alone',
    load: async () => (await import('./commands/emulator.command.js')).emulatorCommand,
  },
];
