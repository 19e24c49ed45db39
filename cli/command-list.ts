import type { Command } from './command.js';
import type { Text } from './output.js';

/** A command that is read from disk when it is called: the emulator alone needs neither Nest nor PostgreSQL's driver. */
export interface ListedCommand {
  readonly name: string;
  readonly summary: Text;
  load(): Promise<Command>;
}

const providers = () => import('./commands/provider.commands.js');
const users = () => import('./commands/user.commands.js');
const roles = () => import('./commands/role.commands.js');
const clients = () => import('./commands/client.commands.js');
const apiKeys = () => import('./commands/api-key.commands.js');
const keys = () => import('./commands/keys.commands.js');

/** Every command, in the order of the help. */
export const commandList: readonly ListedCommand[] = [
  {
    name: 'migrate',
    summary: { en: 'create or update the tables of the schema iam', zh: '创建或更新 iam 模式中的表' },
    load: async () => (await import('./commands/migrate.command.js')).migrateCommand,
  },
  {
    name: 'provider list',
    summary: { en: 'list the identity providers', zh: '列出身份源' },
    load: async () => (await providers()).providerListCommand,
  },
  {
    name: 'provider add',
    summary: { en: 'create an identity provider', zh: '新建身份源' },
    load: async () => (await providers()).providerAddCommand,
  },
  {
    name: 'provider set',
    summary: { en: 'change an identity provider', zh: '修改身份源' },
    load: async () => (await providers()).providerSetCommand,
  },
  {
    name: 'provider check',
    summary: { en: 'ask WeChat whether one is set up rightly', zh: '向微信核对一个身份源的配置' },
    load: async () => (await import('./commands/provider-check.command.js')).providerCheckCommand,
  },
  {
    name: 'provider rotate',
    summary: { en: 'replace a secret of one', zh: '更换身份源的一个密钥' },
    load: async () => (await providers()).providerRotateCommand,
  },
  {
    name: 'provider migrate',
    summary: { en: 'move people to another Official Account', zh: '把用户迁到另一个公众号' },
    load: async () => (await import('./commands/provider-migrate.command.js')).providerMigrateCommand,
  },
  {
    name: 'client list',
    summary: { en: 'list the applications in the database', zh: '列出数据库中的应用' },
    load: async () => (await clients()).clientListCommand,
  },
  {
    name: 'client add',
    summary: { en: 'register an application', zh: '登记应用' },
    load: async () => (await clients()).clientAddCommand,
  },
  {
    name: 'client set',
    summary: { en: 'change or disable an application', zh: '修改或停用应用' },
    load: async () => (await clients()).clientSetCommand,
  },
  {
    name: 'client rotate',
    summary: { en: 'make a new secret for one, or clear the old one', zh: '为应用生成新密钥，或清空旧密钥' },
    load: async () => (await clients()).clientRotateCommand,
  },
  {
    name: 'api-key add',
    summary: { en: 'make an API key for a service', zh: '为服务新建 API 密钥' },
    load: async () => (await apiKeys()).apiKeyAddCommand,
  },
  {
    name: 'api-key list',
    summary: { en: 'list the API keys that work', zh: '列出有效的 API 密钥' },
    load: async () => (await apiKeys()).apiKeyListCommand,
  },
  {
    name: 'api-key end',
    summary: { en: 'end an API key', zh: '停用一个 API 密钥' },
    load: async () => (await apiKeys()).apiKeyEndCommand,
  },
  {
    name: 'user find',
    summary: {
      en: 'find users by id, openid, unionid, external id or nickname',
      zh: '按 id、openid、unionid、外部 id 或昵称查找用户',
    },
    load: async () => (await users()).userFindCommand,
  },
  {
    name: 'user roles',
    summary: { en: 'show, give and take the roles of a user', zh: '查看、授予、收回一个用户的角色' },
    load: async () => (await users()).userRolesCommand,
  },
  {
    name: 'role list',
    summary: { en: 'list the roles and what they permit', zh: '列出角色及其权限' },
    load: async () => (await roles()).roleListCommand,
  },
  {
    name: 'role add',
    summary: { en: 'create a role', zh: '新建角色' },
    load: async () => (await roles()).roleAddCommand,
  },
  {
    name: 'role set',
    summary: { en: 'change what a role permits', zh: '修改角色的权限' },
    load: async () => (await roles()).roleSetCommand,
  },
  {
    name: 'keys list',
    summary: { en: 'show which keys sign and seal', zh: '列出签名密钥与加密密钥' },
    load: async () => (await keys()).keysListCommand,
  },
  {
    name: 'keys rotate',
    summary: { en: 'make a new key for access tokens', zh: '生成新的访问令牌签名密钥' },
    load: async () => (await keys()).keysRotateCommand,
  },
  {
    name: 'keys reseal',
    summary: {
      en: 'seal everything anew with the first of IAM_KEYS',
      zh: '用 IAM_KEYS 的第一个密钥重新加密所有内容',
    },
    load: async () => (await keys()).keysResealCommand,
  },
  {
    name: 'doctor',
    summary: { en: 'look for what keeps people from signing in', zh: '检查是什么妨碍登录' },
    load: async () => (await import('./commands/doctor.command.js')).doctorCommand,
  },
  {
    name: 'emulator',
    summary: { en: 'start the WeChat platform emulator alone', zh: '单独启动微信平台模拟器' },
    load: async () => (await import('./commands/emulator.command.js')).emulatorCommand,
  },
];
