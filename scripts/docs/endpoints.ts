import '../../src/openapi/describe-iam.js';
import type { Type } from '@nestjs/common';
import { z } from 'zod';
import { AdminGuard } from '../../src/admin/admin.guard.js';
import { REQUIRED_RECENT_SIGN_IN } from '../../src/http/access-policy.decorator.js';
import {
  endpointsOf,
  guardsOf,
  iamControllers,
  type EndpointDeclaration,
} from '../../src/http/endpoint.decorator.js';
import {
  identityProviderChanges,
  identityProviderInput,
} from '../../src/identity-providers/provider-columns.js';
import { IamGuard } from '../../src/sessions/iam.guard.js';
import { chineseSummaries } from './endpoint-summaries.js';
import {
  checkTexts,
  code,
  pagePath,
  table,
  type Language,
  type ReferencePage,
  type Text,
} from './markdown.js';

/** The tables of the page; an endpoint stands in the first whose pattern fits its path. */
const groups: readonly (readonly [Text, RegExp])[] = [
  [
    { en: 'Signing in', zh: '登录' },
    /^(providers|authorize|callback|token|revoke|par|introspect|jwks|\.well-known|device_authorization)\b/,
  ],
  [{ en: 'The signed-in person', zh: '登录用户本人' }, /^me\b/],
  [{ en: "WeChat's server", zh: '微信的服务器' }, /^webhook\b/],
  [{ en: "The module's own pages", zh: '模块自带的页面' }, /^(?!admin\/)/],
  [{ en: 'Administration: identity providers', zh: '管理：身份源' }, /^admin\/providers\b/],
  [{ en: 'Administration: applications', zh: '管理：应用' }, /^admin\/clients\b/],
  [{ en: 'Administration: API keys', zh: '管理：API 密钥' }, /^admin\/api_keys\b/],
  [{ en: 'Administration: users', zh: '管理：用户' }, /^admin\/(users|bans)\b/],
  [{ en: 'Administration: roles', zh: '管理：角色' }, /^admin\/(roles|permissions|access)\b/],
  [{ en: 'Administration: sessions and sign-ins', zh: '管理：会话与登录' }, /^admin\/(sessions|logins)\b/],
  [
    { en: 'Administration: audit log, events and sign-out messages', zh: '管理：审计日志、事件与退出通知' },
    /^admin\/(audit|events|backchannel_logouts)\b/,
  ],
  [{ en: 'Administration: the rest', zh: '管理：其他' }, /^admin\//],
];

interface Listed extends EndpointDeclaration {
  /** `GET callback/{provider}`, below the option `path`. */
  readonly key: string;
  readonly controller: Type<unknown>;
}

function listed(): Listed[] {
  const declared = iamControllers.flatMap((controller) =>
    endpointsOf(controller).map((endpoint) => {
      const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
      return { ...endpoint, path, controller, key: `${endpoint.method} ${path}` };
    }),
  );
  // Pages and their files are there when something else has imported their module.
  const all = declared.filter(({ path }) => !path.startsWith('ui/'));
  checkTexts(
    'endpoints in Chinese',
    all.map(({ key }) => key),
    chineseSummaries,
  );
  const order = Object.keys(chineseSummaries);
  return all.toSorted((one, other) => order.indexOf(one.key) - order.indexOf(other.key));
}

/** docs/reference/endpoints.md */
export const endpointsPage: ReferencePage = {
  name: 'endpoints',
  title: { en: 'Endpoints', zh: '端点' },
  sources: ['the controllers of src', 'scripts/docs/endpoint-summaries.ts'],
  intro: {
    en: `Paths stand below the option \`path\` (\`iam\`), after your global prefix. All responses are \`Cache-Control: no-store\`. The
metadata is also answered at \`/.well-known/oauth-authorization-server\`, unless your app has a route there. \`IamPagesModule\` adds
its pages and their files below \`ui/\`.

A parameter that may be left out ends in \`?\`. Endpoints marked \\* take a sign-in within \`recentSignIn\`. Changes in the
administration that say \`If-Match\` take the \`ETag\` of what was read. [OpenAPI](../guides/monitoring.md) has every field of every
body and response; [error codes](error-codes.md) are the same everywhere.`,
    zh: `路径位于选项 \`path\`（\`iam\`）之下、你的全局前缀之后。所有应答都是 \`Cache-Control: no-store\`。
元数据也在 \`/.well-known/oauth-authorization-server\` 应答，除非你的应用在那里有路由。\`IamPagesModule\` 的页面和文件在 \`ui/\` 之下。

可省略的参数以 \`?\` 结尾。标 \\* 的端点要求在 \`recentSignIn\` 秒内登录过。管理中写明 \`If-Match\` 的修改要带上所读内容的 \`ETag\`。
每个请求体和应答的每个字段见 [OpenAPI](../guides/monitoring.zh-CN.md)；[错误代码](error-codes.zh-CN.md)处处相同。`,
  },
  body(language) {
    const head = {
      en: ['endpoint', 'who', 'what it does', 'parameters'],
      zh: ['端点', '谁可调用', '作用', '参数'],
    }[language];
    const all = listed();
    return groups
      .map(([title, pattern]) => {
        const rows = all.filter(({ path }) => groups.find((group) => group[1].test(path))?.[1] === pattern);
        return `## ${title[language]}\n\n${table(
          head,
          rows.map((each) => rowOf(each, language)),
        )}`;
      })
      .join('\n\n');
  },
};

function rowOf(endpoint: Listed, language: Language): string[] {
  const { key, method, path, description } = endpoint;
  const text = language === 'en' ? description.summary : (chineseSummaries[key] ?? '');
  return [
    code(`${method} /iam/${path}`),
    accessOf(endpoint)[language],
    text,
    parametersOf(endpoint, language),
  ];
}

function accessOf({ controller, handler, description }: Listed): Text {
  const guards = guardsOf(controller, handler);
  if (guards.includes(AdminGuard)) {
    if (description.permission === 'self') return { en: 'signed in', zh: '登录用户' };
    const permission = code(description.permission ?? '–');
    return { en: permission, zh: permission };
  }
  if (!guards.includes(IamGuard)) return { en: 'anyone', zh: '任何人' };
  const isRecent = [controller, handler].some((target) =>
    Reflect.hasMetadata(REQUIRED_RECENT_SIGN_IN, target),
  );
  return isRecent ? { en: 'signed in \\*', zh: '登录用户 \\*' } : { en: 'signed in', zh: '登录用户' };
}

function parametersOf({ description: { query, body } }: Listed, language: Language): string {
  return [query, body]
    .filter((schema) => schema !== undefined)
    .map((schema) => {
      if (!isProviderRow(schema)) return fieldsOf(schema);
      const columns = { en: 'the columns of a row', zh: '一行的各列' }[language];
      return `[${columns}](${pagePath('provider-columns', language)})`;
    })
    .filter((fields) => fields !== '')
    .join('\n');
}

function isProviderRow(schema: z.ZodType): boolean {
  return schema === identityProviderInput || schema === identityProviderChanges;
}

/** More values than these are in OpenAPI alone. */
const MOST_VALUES = 4;

/** What `z.toJSONSchema` makes, as far as it is shown. */
const field = z.object({ const: z.string().optional(), enum: z.array(z.string()).optional() });
const shape = z.object({
  properties: z.record(z.string(), field).default({}),
  required: z.array(z.string()).default([]),
});
const alternatives = z
  .object({ anyOf: z.array(shape).optional(), oneOf: z.array(shape).optional() })
  .and(shape);

/** A line for each of the forms that it may have. */
function fieldsOf(schema: z.ZodType): string {
  const { anyOf, oneOf, ...whole } = alternatives.parse(
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
  );
  return (anyOf ?? oneOf ?? [whole])
    .map(({ properties, required }) =>
      Object.entries(properties)
        .map(([name, field]) => {
          const values = field.const === undefined ? (field.enum ?? []) : [field.const];
          const shown = values.length === 0 || values.length > MOST_VALUES ? '' : `=${values.join('|')}`;
          return code(`${name}${required.includes(name) ? '' : '?'}${shown}`);
        })
        .join(' '),
    )
    .join('\n');
}
