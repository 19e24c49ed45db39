import type { z } from 'zod';
import { IamError } from '../../src/errors/iam.error.js';
import { OutgoingError, OutgoingRefusal } from '../../src/http/outgoing-calls.service.js';
import { ClientEntity, clientGrants, type ClientChanges } from '../../src/oauth/clients/client-columns.js';
import { toBoolean, type Arguments, type OptionSpec } from '../command.js';
import { CommandError, UsageError } from '../errors.js';

/** The option of a member. */
interface MemberOption extends Omit<OptionSpec, 'repeated'> {
  readonly member: keyof ClientChanges;
}

/** The options of members, with the member of each. */
const members: Readonly<Record<string, MemberOption>> = {
  name: {
    member: 'name',
    value: 'TEXT',
    summary: {
      en: 'what people read of where they sign in; an own application without one is shown as the site',
      zh: '用户登录时读到的名称；自己的应用没有名称时显示为网站',
    },
  },
  'client-uri': { member: 'client_uri', value: 'URL', summary: { en: 'its home page', zh: '主页' } },
  'logo-uri': { member: 'logo_uri', value: 'URL', summary: { en: 'its logo', zh: '图标' } },
  enabled: {
    member: 'enabled',
    value: 'true|false',
    summary: { en: 'whether people can sign in to it', zh: '是否可以登录' },
  },
  'redirect-uri': {
    member: 'redirect_uris',
    value: 'URL',
    summary: { en: 'where a sign-in may return', zh: '登录后返回的地址' },
  },
  origin: {
    member: 'origins',
    value: 'ORIGIN',
    summary: { en: 'whose scripts may call the endpoints', zh: '哪些来源的脚本可以调用端点' },
  },
  grant: {
    member: 'grants',
    value: 'GRANT',
    summary: { en: clientGrants.join(', '), zh: clientGrants.join('、') },
  },
  provider: {
    member: 'providers',
    value: 'SLUG',
    summary: {
      en: 'through which providers people come to it (default all)',
      zh: '允许哪些身份源的人进入（默认全部）',
    },
  },
  tokens: {
    member: 'tokens',
    value: 'bearer|cookie',
    summary: { en: 'how a browser keeps them (default bearer)', zh: '浏览器如何保存令牌（默认 bearer）' },
  },
  'first-party': {
    member: 'first_party',
    value: 'true|false',
    summary: {
      en: 'false: of a third party, which asks for consent',
      zh: 'false：第三方应用，需征得用户同意',
    },
  },
  sso: {
    member: 'sso',
    value: 'true|false',
    summary: { en: 'single sign-on', zh: '单点登录' },
  },
  scope: {
    member: 'scopes',
    value: 'SCOPE',
    summary: { en: 'what it may ask for (default every scope)', zh: '可以请求的 scope（默认全部）' },
  },
  'id-token-alg': {
    member: 'id_token_signed_response_alg',
    value: 'RS256|ES256',
    summary: { en: 'how its ID tokens are signed (default RS256)', zh: 'ID Token 的签名算法（默认 RS256）' },
  },
  'access-token-alg': {
    member: 'access_token_signed_response_alg',
    value: 'RS256|ES256',
    summary: {
      en: 'how its access tokens are signed (default ES256)',
      zh: '访问令牌的签名算法（默认 ES256）',
    },
  },
  'post-logout-redirect-uri': {
    member: 'post_logout_redirect_uris',
    value: 'URL',
    summary: { en: 'where people may return once they have signed out', zh: '退出登录后可以返回的地址' },
  },
  'backchannel-logout-uri': {
    member: 'backchannel_logout_uri',
    value: 'URL',
    summary: { en: 'where it is told of sessions that have ended', zh: '在哪里得知会话已结束' },
  },
  resource: {
    member: 'resources',
    value: 'URI',
    summary: { en: 'APIs that it may ask tokens for', zh: '可以为哪些 API 请求令牌' },
  },
  'jwks-uri': {
    member: 'jwks_uri',
    value: 'URL',
    summary: { en: 'where its keys for private_key_jwt are', zh: 'private_key_jwt 的公钥地址' },
  },
  jwks: {
    member: 'jwks',
    value: 'JSON',
    summary: { en: 'these keys themselves', zh: '这些公钥本身' },
  },
  role: {
    member: 'roles',
    value: 'ROLE',
    summary: { en: 'what the tokens of a service may do', zh: '服务的令牌可以做什么' },
  },
  'sector-identifier-uri': {
    member: 'sector_identifier_uri',
    value: 'URL',
    summary: {
      en: 'with pairwise subjects of several hosts: a JSON array of all redirect URIs, which the command itself reads there',
      zh: '返回地址有多个主机的 pairwise 应用：列出全部返回地址的 JSON 数组，命令自己会访问该地址',
    },
  },
  'subject-type': {
    member: 'subject_type',
    value: 'public|pairwise',
    summary: {
      en: 'how a third party knows people (default public)',
      zh: '第三方如何识别用户（默认 public）',
    },
  },
};
/** What the column of a member holds decides how its option is read, and what it is once cleared. */
const columnOf = ({ member }: MemberOption) =>
  new Map(Object.entries(ClientEntity.options.columns)).get(member);

/** As commands take them. */
export const memberOptions: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  Object.entries(members).map(([name, option]) => [
    name,
    { ...option, ...(columnOf(option)?.array === true && { repeated: true }) },
  ]),
);
/** Empties members. */
export const clear: OptionSpec = {
  value: 'MEMBER',
  summary: {
    en: 'empty this one: name it as an option, e.g. provider',
    zh: '清空这一项：用选项名，例如 provider',
  },
  repeated: true,
};

/** The members that are given. */
export function readMembers(given: Arguments): Record<string, unknown> {
  const named = Object.entries(members).filter(([option]) => given.has(option));
  return Object.fromEntries(
    named.map(([option, described]) => {
      const text = given.value(option) ?? '';
      const { member } = described;
      const { array, type } = columnOf(described) ?? {};
      if (array === true) return [member, given.values(option)];
      if (type === 'jsonb') return [member, readJson(option, text)];
      return [member, type === 'boolean' ? toBoolean(text) : text];
    }),
  );
}

function readJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--${option}: expected JSON`);
  }
}

/** The members that are emptied. */
export function readCleared(given: Arguments): Record<string, unknown> {
  return Object.fromEntries(
    given.values('clear').map((option) => {
      const found = members[option];
      if (found === undefined || given.has(option))
        throw new UsageError(
          `--clear: expected one of ${Object.keys(members).join(', ')}, and not given as well`,
        );
      const { array, nullable } = columnOf(found) ?? {};
      return [found.member, array === true && nullable !== true ? [] : null];
    }),
  );
}

/** By the rules of the admin API. @throws UsageError that names the option */
export function parse<T>(schema: z.ZodType<T>, input: Record<string, unknown>): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw wrong(String(issue?.path[0]), issue?.message ?? 'not valid');
}

/** Names the option, not the member, in what only all members together show to be wrong. */
export async function naming<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    const { member } = error instanceof IamError ? error.members : {};
    if (!(error instanceof IamError) || member === undefined) throw error;
    if (error.cause instanceof OutgoingError) throw unread(error.cause);
    throw wrong(String(member).replace(/\.\d+$/, ''), error.detail.replace(`${member}: `, ''));
  });
}

/** A command has no options of the module: what they would admit is no advice here. */
function unread(cause: OutgoingError): Error {
  const way =
    'the command line reads it from a public https address only; change this application in the administration';
  if (cause instanceof OutgoingRefusal) return wrong('sector_identifier_uri', way);
  const message = `--sector-identifier-uri: ${cause.message} (${way})`;
  return new CommandError('sector_document_unread', message, { cause });
}

function wrong(member: string, reason: string): UsageError {
  const [option] = Object.entries(members).find(([, each]) => each.member === member) ?? [member];
  return new UsageError(`${option === 'id' ? '<id>' : `--${option}`}: ${reason}`);
}
