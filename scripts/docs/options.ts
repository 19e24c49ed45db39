import ts from 'typescript';
import {
  checkTexts,
  code,
  pagePath,
  sourceOf,
  table,
  type Language,
  type ReferencePage,
} from './markdown.js';

const SOURCE = 'src/config/iam.options.ts';
const PAGES = 'pages/server/pages-options.ts';

/** What the comments in `iam.options.ts` say, in Chinese. */
const chinese: Readonly<Record<string, string>> = {
  publicUrl: '签发者和回调地址的基础，如 `https://app.example.com`；不带路径。绝不取自请求',
  keys: 'base64 的 32 字节密钥。第一个用来加密密钥和 cookie、签发 code 和刷新令牌；每一个都能解密和验证',
  'clients[].id': '前端的 `client_id`',
  'clients[].name': '用户在我们的页面上、扫码的手机上读到的应用名称，与 `siteName` 一起显示',
  'clients[].redirectUris': '它的登录可以返回到哪里；逐字符比较。小程序和移动应用不经浏览器登录，为空数组',
  'clients[].tokens': "`'cookie'`：令牌存放在 HttpOnly cookie 中，而不在 `/iam/token` 的应答里",
  'clients[].origins': '除 `publicUrl` 外，哪些来源的脚本可以调用（CORS），精确比较',
  'resources[].identifier':
    '它的地址，客户端用 `resource` 指明，其访问令牌的 `aud` 就是它，如 `https://app.example.com/mcp`。在 `publicUrl` 主机上的属于本应用：会提供它的元数据（RFC 9728）',
  'resources[].name': '元数据里供人阅读的名称',
  'resources[].scopes': '元数据告诉客户端可以请求的 scope',
  'resources[].client': '作为该资源的应用的 `client_id`：它可以查询（introspect）自己的令牌',
  'database.url':
    '模块自己的连接，不用你的 TypeORM 连接：`postgres://user:password@host:port/database`（与其他 ORM 并用）',
  'database.poolSize': '连接数上限（至少 2）',
  'database.ssl': '`true`，或 `node:tls` 接受的内容，如 `{ ca }`',
  'database.migrationsRun': '启动时运行待执行的迁移；否则有待执行的迁移就不启动',
  'database.preparedStatements':
    '常用语句在每个连接上只解析和规划一次。经过不支持预备语句的连接池（如 1.21 之前的 PgBouncer）时设为 `false`；没有 `database.url` 时也可以设置',
  'admin.token': '至少 32 个字符的持有者令牌，在管理 API 中可做一切：用于首次配置和脚本',
  'admin.guard': '你的守卫；它放行的人在管理 API 中可做一切',
  'admin.crossDeviceSessions':
    "`'refuse'`：由另一台设备扫码开始的会话不得进入管理 API，也不能给现在或最近 24 小时内拥有管理权限的账号绑定身份",
  'audit.retentionDays': '更早的审计记录会被删除（至少 30），每次一个月；不足 180 天时每次一周',
  'audit.sink': '你的类，每条审计记录都会交给它',
  sessionCheck: "`'always'`：退出、封禁、角色变更立即生效，代价是每个进程、每个会话 5 秒一次查询",
  recentSignIn: '秒；绑定、解绑和注销要求在此时间内登录过',
  profile: '`host_wins`：微信的昵称和头像只填补空缺、只替换微信自己设的；`wechat_wins`：会替换宿主或本人设的',
  deletionGraceDays: '用户申请注销到真正抹除之间的天数',
  'wechat.endpoints': '`{ api, open, mp }`：微信的区域域名，或模拟器',
  'wechat.timeout': '调用微信一次的总时间，毫秒，含重试（最多 60000）',
  'wechat.allowLoopback': '允许 http 和环回地址，只有模拟器需要',
  'wechat.allowPrivateEndpoints':
    '允许 `endpoints` 在私有网络里，也可用 http：你自己的中转，或另一个容器里的模拟器。每次启动都会告警',
  'wechat.proxy':
    "调用微信所用的 HTTP 代理，如 `http://user:password@proxy.internal:3128`；`'environment'` 按 HTTPS_PROXY、HTTP_PROXY、NO_PROXY",
  'tokens.accessToken': '访问令牌的有效期，秒（最多 3600）；已撤销的也能用这么久',
  'tokens.idle': '这么久没有刷新，会话结束',
  'tokens.absolute': '登录后这么久，会话结束',
  'tokens.refreshGrace':
    '秒；在此期间，用过的刷新令牌会得到同一个后继，重复发送的 code 得到同一个会话：应答丢失、刷新页面、两个标签页（最多 60）',
  'tokens.audience': '访问令牌的 `aud`',
  'sessions.limit.perUser': '一个用户在所有客户端合计最多同时有多少个会话',
  'sessions.limit.perClient': '一个用户在每个客户端最多同时有多少个会话',
  'sessions.limit.then':
    '超出时：`end_oldest` 结束最早开始的会话，其下一次刷新得到 `session_replaced`；`refuse` 拒绝登录（`session_limit_reached`），直到另一个会话结束',
  'sessions.browser.idle': '秒；浏览器会话这么久没有使用即结束',
  'sessions.browser.absolute': '秒；从微信证明身份起，浏览器会话最长持续的时间',
  profileFreshness: '秒；在此期间不再向微信读取昵称头像',
  loginLifetime: '从发起登录到微信回调的秒数（最多 600）',
  databaseTimeout: '本模块的一条 SQL（或等待连接）最多用时，毫秒；超过则请求得到 503',
  rateLimits: "二维码与失败次数的限制，在 PostgreSQL 中计数，所有副本合计；压测时设为 `'off'`",
  'rateLimits.qrPerAddressAndMinute': '同一客户端地址每分钟的二维码',
  'rateLimits.qrPerAddressAndDay': '同一客户端地址的二维码：一次最多这么多，一天内均匀恢复',
  'rateLimits.qrPerAccountAndDay':
    '同一公众号的二维码：一次最多这么多，一天内均匀恢复；微信每天 100,000 个，略多于它的两倍',
  'rateLimits.failuresPerAddressAndMinute':
    '同一客户端地址在同一应用每分钟失败的 code 或令牌；也是每个进程中同一浏览器每分钟单点登录的次数',
  'rateLimits.failuresPerAddressAndDay': '同上：一次最多这么多，一天内均匀恢复',
  scenePrefix:
    '模块二维码场景值的开头（1 到 20 个字母、数字或 `:._-`，最后一个不是字母或数字）；有此开头但没有我们 MAC 的场景值，和其他场景值一样交给你的处理器',
  siteName: '请用户确认时手机上显示的名称',
  hooks: '你的钩子类',
  hookTimeout:
    '`matchUser` 和 `beforeSignUp` 最多用时，毫秒（最多 60000）；超过则登录以 `internal_error` 结束',
  'phone.unique':
    '一个用户已有的手机号，别的用户不能再有（`phone_number_taken`）。此前存下的号码留给所有拥有它的人',
  background:
    '`false`：到期事件、审计接收器和清理留给别的进程，本进程没有任何循环，用于脚本和没有你的 `@OnWechatEvent` 方法的工作进程。至少要有一个进程做这些工作',
  hostMiddleware:
    "`'run'`：你的中间件（Express 中间件、Fastify 钩子与插件）在这些端点之前运行，用于钩子需要中间件所设内容的情形。`'skip'`：端点先应答，不受 CSRF 检查、会话和解析器影响",
  path: '所有端点的路径',
  globalGuard: '给所有路由加上 `IamGuard`；`@Public()` 放开某一个',
  dataSource: '你的 TypeORM 连接名；配合 `database` 写 `false`',
};

/** The same of `pages-options.ts`. */
const chineseOfPages: Readonly<Record<string, string>> = {
  admin: '在 `<path>/ui/admin` 提供管理页面',
  account: '在 `<path>/ui/account` 提供登录用户自己的账号页面',
  siteName: "网站名称，1 到 60 个字符；可以每种语言一个：`{ 'zh-CN': …, en: … }`",
  logo: '名称旁边的图片：`https:` 地址，或本站的路径，如 `/logo.svg`',
  accent: '按钮和链接的颜色，`#rrggbb`；上面的白字必须看得清（对比度至少 4.5 比 1）',
  terms: '用户协议的地址：`https:` 地址或本站的路径。设置后，用户登录前要先同意',
  privacy: '隐私政策的地址，同 `terms`',
  requireConsent:
    '指定了 `provider` 的登录也先前往登录页面征求同意；`false`：由你自己的页面征求，只有被送到该页面的人在那里同意',
};

/** The defaults that are words. */
const chineseDefaults: Readonly<Record<string, string>> = {
  required: '必填',
  none: '无',
  'what `url` says (`sslmode`)': '`url` 所说（`sslmode`）',
  'those of your TypeORM connection `dataSource`': '你的 TypeORM 连接 `dataSource`',
  'true when `publicUrl` is itself on a loopback host, else false':
    '`publicUrl` 本身在环回主机上时为 true，否则 false',
  '2592000 (30 days)': '2592000（30 天）',
  '7776000 (90 days)': '7776000（90 天）',
  'the host of `publicUrl`': '`publicUrl` 的主机',
  'option `siteName` of IamModule': 'IamModule 的选项 `siteName`',
  "TypeORM's default connection": 'TypeORM 的默认连接',
};

/** Where an option is explained. */
const guides: Readonly<Record<string, string>> = {
  'clients[].tokens': '../guides/front-end',
  'clients[].origins': '../guides/front-end',
  'resources[].identifier': '../guides/applications',
  'database.url': '../beside-other-orms',
  'database.preparedStatements': '../guides/running',
  'admin.token': '../administration',
  sessionCheck: '../guides/signed-in-user',
  'rateLimits.qrPerAddressAndMinute': '../guides/rate-limits',
  'sessions.limit.perUser': '../guides/how-many-sessions',
  'sessions.browser.idle': '../guides/single-sign-on',
  scenePrefix: '../guides/follow-to-login',
  hooks: '../guides/signed-in-user',
  hookTimeout: '../guides/phone-numbers',
  'phone.unique': '../guides/phone-numbers',
  hostMiddleware: '../guides/embedding',
};

/** An option as its interface declares it. */
export interface DeclaredOption {
  /** With its place, e.g. `tokens.idle` or `clients[].id`. */
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** The text after `@default`. */
  readonly defaultText: string | undefined;
  readonly meaning: string;
}

/** What a host may write: every field of `IamOptions` and `IamStaticOptions`, down to the leaves. */
export function declaredOptions(): DeclaredOption[] {
  return [...fieldsOf(SOURCE, 'IamOptions'), ...fieldsOf(SOURCE, 'IamStaticOptions')];
}

function fieldsOf(source: string, root: string): DeclaredOption[] {
  const file = ts.createSourceFile(source, sourceOf(source), ts.ScriptTarget.Latest, true);
  const interfaces = new Map(
    file.statements.filter(ts.isInterfaceDeclaration).map((each) => [each.name.text, each] as const),
  );
  const leavesOf = (name: string, place: string): DeclaredOption[] => {
    const declaration = interfaces.get(name);
    if (declaration === undefined) throw new Error(`${source} has no interface ${name}`);
    return declaration.members.filter(ts.isPropertySignature).flatMap((field) => {
      const type = field.type?.getText() ?? '';
      const inner = [...interfaces.keys()].find((each) => new RegExp(`\\b${each}\\b`).test(type));
      const own = `${place}${field.name.getText()}`;
      const inners =
        inner === undefined ? [] : leavesOf(inner, type.includes('[]') ? `${own}[].` : `${own}.`);
      // An option that is nothing but its fields is told by them.
      return inner !== undefined && !type.includes('|') ? inners : [optionOf(field, own), ...inners];
    });
  };
  return leavesOf(root, '');
}

function optionOf(field: ts.PropertySignature, name: string): DeclaredOption {
  const [comment] = field.getChildren().filter(ts.isJSDoc);
  const tag = ts.getJSDocTags(field).find(({ tagName }) => tagName.text === 'default');
  const meaning = ts.getTextOfJSDocComment(comment?.comment);
  if (meaning === undefined || meaning === '') throw new Error(`the option ${name} has no comment`);
  return {
    name,
    type: (field.type?.getText() ?? '')
      .replaceAll(/readonly |undefined \| | \| undefined/g, '')
      .replaceAll(/\s+/g, ' '),
    isRequired: field.questionToken === undefined,
    defaultText: ts.getTextOfJSDocComment(tag?.comment)?.trim(),
    meaning: meaning.replaceAll(/\s*\n\s*/g, ' '),
  };
}

/** docs/reference/options.md */
export const optionsPage: ReferencePage = {
  name: 'options',
  title: { en: 'Options', zh: '选项' },
  sources: [SOURCE, PAGES, 'scripts/docs/options.ts'],
  intro: {
    en: `What \`IamModule.forRoot\` takes, and the factory of \`forRootAsync\` returns; \`path\`, \`globalGuard\` and \`dataSource\` stand
beside the factory. A wrong option stops the start with a \`TypeError\` that names it and says what was expected.`,
    zh: `\`IamModule.forRoot\` 接受的选项，也是 \`forRootAsync\` 的工厂返回的内容；\`path\`、\`globalGuard\`、\`dataSource\` 写在工厂旁边。
选项写错时启动失败，\`TypeError\` 会指出是哪个选项、应该写什么。`,
  },
  body(language) {
    const options = declaredOptions();
    const ofPages = fieldsOf(PAGES, 'IamPagesOptions');
    const groups = [...new Set(options.map(groupOf))].map((group) => {
      const title = group === '' ? { en: 'The module', zh: '模块' }[language] : code(group);
      const members = options.filter((option) => groupOf(option) === group);
      return `## ${title}\n\n${tableOf(members, chinese, language)}`;
    });
    const intro = {
      en: 'What `IamPagesModule.forRoot` of `nestjs-wechat-iam/pages` takes.',
      zh: '`nestjs-wechat-iam/pages` 的 `IamPagesModule.forRoot` 接受的选项。',
    }[language];
    const pages = `## ${{ en: 'The pages', zh: '页面' }[language]}\n\n${intro}`;
    checkTexts('options in Chinese', namesOf(options), chinese);
    checkTexts('options of the pages in Chinese', namesOf(ofPages), chineseOfPages);
    return [...groups, pages, tableOf(ofPages, chineseOfPages, language)].join('\n\n');
  },
};

function namesOf(options: readonly DeclaredOption[]): string[] {
  return options.map(({ name }) => name);
}

/** `tokens` of `tokens.idle`; nothing of an option at the top. */
function groupOf({ name }: DeclaredOption): string {
  return name.includes('.') ? (name.split('.')[0] ?? '') : '';
}

function tableOf(
  options: readonly DeclaredOption[],
  texts: Readonly<Record<string, string>>,
  language: Language,
): string {
  const head = { en: ['option', 'type', 'default', 'meaning'], zh: ['选项', '类型', '默认值', '含义'] }[
    language
  ];
  const rows = options.map(({ name, type, isRequired, defaultText, meaning }) => {
    const fallback = isRequired ? 'required' : (defaultText ?? 'none');
    const guide = texts === chinese ? guides[name] : undefined;
    const more = { en: 'More', zh: '详见' }[language];
    const link = guide === undefined ? '' : ` [${more}](${pagePath(guide, language)})`;
    const text = language === 'en' ? meaning : (texts[name] ?? '');
    const shown = language === 'en' ? fallback : (chineseDefaults[fallback] ?? fallback);
    return [code(name), code(type), shown, text + link];
  });
  return table(head, rows);
}
