import { variables } from '../../cli/environment.js';
import { commands } from './cli.js';
import {
  checkTexts,
  code,
  sourceOf,
  table,
  type Language,
  type ReferencePage,
  type Text,
} from './markdown.js';

const EXAMPLE = 'example/run/environment.ts';

/** What `npm start` reads. */
const exampleVariables: Readonly<Record<string, Text & { readonly default: Text }>> = {
  PORT: { default: { en: '`3000`', zh: '`3000`' }, en: 'Port of the app', zh: '应用的端口' },
  EMULATOR_PORT: { default: { en: '`3001`', zh: '`3001`' }, en: 'Port of the emulator', zh: '模拟器的端口' },
  PUBLIC_URL: {
    default: { en: '`http://localhost:PORT`', zh: '`http://localhost:PORT`' },
    en: 'Where browsers reach the app',
    zh: '浏览器访问应用的地址',
  },
  DATABASE_URL: {
    default: { en: 'an embedded PostgreSQL', zh: '内嵌的 PostgreSQL' },
    en: 'A PostgreSQL server to use',
    zh: '使用已有的 PostgreSQL',
  },
  DATA_DIR: {
    default: { en: 'a temporary folder', zh: '临时目录' },
    en: 'Where the embedded PostgreSQL keeps its files',
    zh: '内嵌 PostgreSQL 的数据目录',
  },
  IAM_KEY: {
    default: { en: 'made up, kept in `DATA_DIR`', zh: '自动生成，保存在 `DATA_DIR`' },
    en: 'The sealing key; `DATABASE_URL` without it gets a published demo key and a warning',
    zh: '加密用的密钥。有 `DATABASE_URL` 而没有它时，用公开的演示密钥并给出警告',
  },
  IAM_ADMIN_TOKEN: {
    default: { en: 'made up for this run, printed', zh: '每次启动生成并打印' },
    en: 'Opens `/iam/ui/admin` and the admin API: 32 characters or more',
    zh: '打开 `/iam/ui/admin` 与管理 API：至少 32 个字符',
  },
  IAM_PROVIDERS: {
    default: { en: "the demo's row", zh: '演示的那一行' },
    en: 'A JSON file: an array of rows, keys as the [columns](provider-columns.md), secrets in clear',
    zh: 'JSON 文件：行的数组，键为[各列](provider-columns.zh-CN.md)，密钥为明文',
  },
  IAM_RATE_LIMITS: { default: { en: '`on`', zh: '`on`' }, en: '`off` for load tests', zh: '压测时 `off`' },
  WECHAT_API_URL: {
    default: { en: 'the emulator', zh: '模拟器' },
    en: 'Another WeChat; the emulator is then not started',
    zh: '使用别的微信；这时不启动模拟器',
  },
  WECHAT_OPEN_URL: {
    default: { en: 'the emulator', zh: '模拟器' },
    en: 'Another WeChat; the emulator is then not started',
    zh: '使用别的微信；这时不启动模拟器',
  },
  WECHAT_MP_URL: {
    default: { en: 'the emulator', zh: '模拟器' },
    en: 'Another WeChat; the emulator is then not started',
    zh: '使用别的微信；这时不启动模拟器',
  },
};

/** What the module reads where an option asks for it. */
const moduleVariables: Readonly<Record<string, Text>> = {
  HTTPS_PROXY: {
    en: "Only with `wechat.proxy: 'environment'`: the proxy for calls to WeChat",
    zh: "仅当 `wechat.proxy: 'environment'`：调用微信所用的代理",
  },
  HTTP_PROXY: {
    en: 'The same, for calls over http, which only an emulator takes',
    zh: '同上，用于 http 调用，只有模拟器才有',
  },
  NO_PROXY: { en: 'The hosts that are called without the proxy', zh: '不经代理直接调用的主机' },
};

/** docs/reference/environment.md */
export const environmentPage: ReferencePage = {
  name: 'environment',
  title: { en: 'Environment variables', zh: '环境变量' },
  sources: ['cli/environment.ts', EXAMPLE, 'scripts/docs/environment.ts'],
  intro: {
    en: `Your app decides where its settings come from: the module takes [options](options.md), and reads the environment only where an
option asks for it. The command line and the example read theirs.`,
    zh: `设置从哪里来由你的应用决定：模块接受[选项](options.zh-CN.md)，只有选项要求时才读环境变量。命令行和示例各读各的。`,
  },
  body: (language) =>
    [
      { en: '## The module', zh: '## 模块' }[language],
      table(
        headOf(language, 2),
        Object.entries(moduleVariables).map(([name, text]) => [code(name), text[language]]),
      ),
      { en: '## The command line', zh: '## 命令行' }[language],
      cliTable(language),
      { en: '## The example (`npm start`)', zh: '## 示例（`npm start`）' }[language],
      exampleTable(language),
    ].join('\n\n'),
};

function headOf(language: Language, cells: 2 | 3): string[] {
  const [name, ...rest] = { en: ['variable', 'default', 'meaning'], zh: ['变量', '默认值', '含义'] }[
    language
  ];
  return [name ?? '', ...rest.slice(-cells + 1)];
}

function cliTable(language: Language): string {
  const head = [...headOf(language, 2), { en: 'read by', zh: '读取它的命令' }[language]];
  return table(
    head,
    Object.entries(variables).map(([name, text]) => [code(name), text[language], readBy(name)]),
  );
}

/** The commands that read it; `role …` where all of a group do. */
function readBy(variable: string): string {
  const groups = new Map<string, boolean[]>();
  const groupOf = (name: string) => name.split(' ')[0] ?? '';
  const doesRead = ({ variables: read }: (typeof commands)[number]) => read.some((name) => name === variable);
  for (const command of commands)
    groups.set(groupOf(command.name), [...(groups.get(groupOf(command.name)) ?? []), doesRead(command)]);
  const names = commands.filter(doesRead).map(({ name }) => {
    const members = groups.get(groupOf(name)) ?? [];
    return members.length > 1 && members.every(Boolean) ? `${groupOf(name)} …` : name;
  });
  return [...new Set(names)].map(code).join(', ');
}

function exampleTable(language: Language): string {
  const read = [...sourceOf(EXAMPLE).matchAll(/read\('([A-Z_]+)'\)/g)].map(([, name = '']) => name);
  checkTexts(EXAMPLE, read, exampleVariables);
  return table(
    headOf(language, 3),
    Object.entries(exampleVariables).map(([name, text]) => [
      code(name),
      text.default[language],
      text[language],
    ]),
  );
}
