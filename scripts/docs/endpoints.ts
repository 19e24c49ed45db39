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
import {
  checkTexts,
  code,
  pagePath,
  table,
  type Language,
  type ReferencePage,
  type Text,
} from './markdown.js';

/** The summaries of `@Endpoint()` in Chinese, in the order of the page. */
const chinese: Readonly<Record<string, string>> = {
  'GET providers': '已启用的身份源，以及当前浏览器能用什么',
  'GET authorize': '发起登录（RFC 6749 §4.1.1，PKCE）：前往微信，或显示用于关注的二维码',
  'GET callback/{provider}': '微信回到这里；再带着 code 或错误回到 `redirect_uri`',
  'POST token': '用 code、刷新令牌、设备代码或应用的 code 换取令牌（RFC 6749、RFC 8628）；表单或 JSON',
  'POST revoke': '结束刷新令牌或访问令牌所属的会话（RFC 7009）',
  'GET jwks': '访问令牌的公钥（RFC 7517）',
  'GET .well-known/oauth-authorization-server': '授权服务器元数据（RFC 8414）',
  'POST device_authorization': '在自己的页面上发起扫码登录（RFC 8628）',
  'GET device_authorization/events':
    '扫码的状态，服务器推送事件：scanned、confirmed、denied、expired、failed、done',
  'POST approvals': '小程序扫到另一设备的登录码后，为其用户打开这次登录',
  'POST approvals/{id}': '确认或拒绝另一设备的登录',
  'GET me': '登录用户',
  'PATCH me': '设置登录用户的昵称，微信不会替换它；null 表示重新交给微信',
  'GET me/export': '关于本人的全部数据，一个文件；每类最多最新 1000 条',
  'POST me/deletion': '`deletionGraceDays` 天后删除账号，并结束其他会话；立即删除时返回 204',
  'DELETE me/deletion': '撤销注销申请',
  'POST me/phone_number': '添加微信验证过的手机号，在小程序里',
  'DELETE me/phone_number': '删除手机号',
  'GET me/sessions': '本人的有效会话，当前会话在前',
  'DELETE me/sessions': '结束当前会话以外的全部会话',
  'DELETE me/sessions/{id}': '结束一个会话，可以是当前会话，也可以是已结束的',
  'GET me/identities': '本人的微信身份',
  'POST me/identities': '绑定另一个身份：用 `binding_token`，或小程序、移动应用的 code；已绑定时返回 200',
  'POST me/identities/authorize': '在浏览器中绑定另一个身份；浏览器带 `linked` 或 `error` 返回',
  'DELETE me/identities/{id}': '解除绑定（最后一个除外），并结束由它开始的会话',
  'GET webhook/{provider}': '微信检查服务器 URL',
  'POST webhook/{provider}': '微信的消息和事件',
  'GET device': '输入设备代码的页面，以及它的询问（RFC 8628 §3.3）',
  'POST device': '供该页面使用：输入的代码',
  'GET device/sign-in': '供该页面使用：登录后回到该页面',
  'POST device/decision': '供该页面使用：允许或拒绝',
  'GET follow': '通过二维码来绑定另一个身份的页面；由 `/me/identities/authorize` 引导前往',
  'POST follow': '供模块自带的登录页使用：新的二维码',
  'POST follow/finish': '供模块自带的登录页使用：状态，以及去哪里',
  'GET scan/{provider}': '`page` 方式的二维码在微信中打开的页面；用公众号网页授权证明扫码的人',
  'GET confirm/{provider}': '扫码后手机上的页面；用公众号网页授权证明扫码的人',
  'POST confirm/{provider}': '手机上的决定',
  'GET admin/providers': '身份源，按 slug 排序；密钥只显示是否已填写',
  'POST admin/providers':
    '新建身份源；密钥以明文提交，加密存储。应用、密钥、消息模式和 `union_scope` 还需要 `iam:providers:secrets`',
  'GET admin/providers/{slug}': '一个身份源及其 ETag，以及需要在微信登记的内容',
  'PATCH admin/providers/{slug}':
    '修改身份源，`If-Match` 其 ETag：没有给出的不变，null 表示清空。修改应用、密钥、消息模式和 `union_scope` 还需要 `iam:providers:secrets`',
  'DELETE admin/providers/{slug}':
    '删除从未有人登录过的身份源，`If-Match` 其 ETag；其中有密钥时还需要 `iam:providers:secrets`',
  'POST admin/providers/{slug}/rotate':
    '更换一个密钥，`If-Match` 其 ETag；原来的 Token 或 EncodingAESKey 作为旧值继续有效，直到清空',
  'POST admin/providers/{slug}/check': '向微信核对并检查配置：什么正常、什么不正常、在哪里修正',
  'GET admin/clients': '应用，按 id 排序，也包括选项 `clients` 里的；密钥只显示是否已设置',
  'POST admin/clients': '登记应用；机密型应用用 rotate 得到第一个密钥',
  'GET admin/clients/{id}': '一个应用及其 ETag',
  'PATCH admin/clients/{id}': '修改应用，`If-Match` 其 ETag：在本副本立即生效，其他副本五秒之内',
  'DELETE admin/clients/{id}': '删除应用，`If-Match` 其 ETag：已登录的人不再得到新令牌',
  'POST admin/clients/{id}/rotate': '生成新密钥，`If-Match` 其 ETag；原来的继续有效，直到清空',
  'DELETE admin/clients/{id}/previous_secret': '清空上一个密钥，`If-Match` 其 ETag：它不再有效',
  'GET admin/users': '用户，最新的在前',
  'POST admin/users': '新建没有身份的用户；绑定身份之前没有人能以其登录',
  'GET admin/users/{id}': '一个用户，也可以是已合并到别人的；修改要带上它的 ETag',
  'PATCH admin/users/{id}': '修改 `nickname` 或 `external_id`；需要 `If-Match`',
  'DELETE admin/users/{id}': '立即抹除用户及其全部数据；需要 `If-Match`',
  'POST admin/users/{id}/merge':
    '合并属于同一人的两个用户：保留较早的，并拥有双方的身份和角色；`force` 不顾 409 `merge_refused`',
  'POST admin/users/{id}/disable': '停用用户：会话和进行中的登录随之结束',
  'POST admin/users/{id}/enable': '重新启用用户',
  'DELETE admin/users/{id}/sessions': '结束该用户的所有会话和进行中的登录',
  'DELETE admin/users/{id}/identities/{identity}': '解除一个身份，并结束由它开始的会话',
  'DELETE admin/users/{id}/phone_number': '删除该用户的手机号，让别的用户可以拥有它',
  'GET admin/users/{id}/roles': '该用户的角色',
  'PUT admin/users/{id}/roles/{role}': '授予一个角色，其权限须是自己也有的；从该用户的下一个访问令牌起生效',
  'DELETE admin/users/{id}/roles/{role}':
    '收回一个角色，其权限须是自己也有的；从该用户的下一个访问令牌起生效',
  'GET admin/bans': '已抹除用户仍有效的封禁',
  'DELETE admin/bans/{id}': '解除这样的封禁：此人可以重新注册为新用户',
  'GET admin/roles': '角色，按名称排序',
  'POST admin/roles': '新建角色，其权限须是自己也有的',
  'GET admin/roles/{name}': '一个角色及其 ETag',
  'PATCH admin/roles/{name}': '修改角色，`If-Match` 其 ETag：权限在这里立即生效，在其他副本 5 秒内生效',
  'DELETE admin/roles/{name}': '删除无人持有的角色，`If-Match` 其 ETag',
  'GET admin/overview': '最近一天与一周的登录，按方式与结果；以及运维需要关注的问题',
  'GET admin/access': '调用者是谁、拥有管理 API 的哪些权限；任何已登录用户都可以查询',
  'GET admin/permissions': '管理 API 的权限',
  'GET admin/sessions': '会话，最新的在前',
  'DELETE admin/sessions/{id}':
    "结束一个会话；它的访问令牌用到过期，设了 `sessionCheck: 'always'` 则立即失效",
  'GET admin/logins': '最近一天的登录尝试，最新的在前',
  'GET admin/audit': '审计日志，最新的在前',
  'GET admin/events': '微信的消息和事件，最新的在前；已处理的保留一周，放弃的保留一个月',
  'GET admin/events/summary': '各状态的数量（最多数到 10,000），以及最早未处理事件的时长',
  'GET admin/events/{id}': '一个事件，带微信发来的消息',
  'POST admin/events/{id}/replay': '重新处理一个已放弃的事件：几秒内由任一副本处理',
  'GET admin/keys': '签名密钥，以及每个加密密钥还加密着多少内容',
  'POST admin/keys/rotate': '发布新的签名密钥，`activate_in` 秒（600）后开始签名',
  'POST admin/keys/reseal': '用 `keys` 的第一个密钥重新加密所有密钥',
  'DELETE admin/keys/{kid}': '移除可能泄露的签名密钥：由它签发的令牌不再被接受',
};

/** The tables of the page; an endpoint stands in the first whose pattern fits its path. */
const groups: readonly (readonly [Text, RegExp])[] = [
  [
    { en: 'Signing in', zh: '登录' },
    /^(providers|authorize|callback|token|revoke|jwks|\.well-known|device_authorization)\b/,
  ],
  [{ en: 'The signed-in person', zh: '登录用户本人' }, /^me\b/],
  [{ en: "WeChat's server", zh: '微信的服务器' }, /^webhook\b/],
  [{ en: "The module's own pages", zh: '模块自带的页面' }, /^(?!admin\/)/],
  [{ en: 'Administration: identity providers', zh: '管理：身份源' }, /^admin\/providers\b/],
  [{ en: 'Administration: applications', zh: '管理：应用' }, /^admin\/clients\b/],
  [{ en: 'Administration: users', zh: '管理：用户' }, /^admin\/(users|bans)\b/],
  [{ en: 'Administration: roles', zh: '管理：角色' }, /^admin\/(roles|permissions|access)\b/],
  [{ en: 'Administration: sessions and sign-ins', zh: '管理：会话与登录' }, /^admin\/(sessions|logins)\b/],
  [{ en: 'Administration: audit log and events', zh: '管理：审计日志与事件' }, /^admin\/(audit|events)\b/],
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
    chinese,
  );
  const order = Object.keys(chinese);
  return all.toSorted((one, other) => order.indexOf(one.key) - order.indexOf(other.key));
}

/** docs/reference/endpoints.md */
export const endpointsPage: ReferencePage = {
  name: 'endpoints',
  title: { en: 'Endpoints', zh: '端点' },
  sources: ['the controllers of src', 'scripts/docs/endpoints.ts'],
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
  const text = language === 'en' ? description.summary : (chinese[key] ?? '');
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
