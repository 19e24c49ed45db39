import { rulesSchema, strictRules, WechatEmulator, type EmulatorRules } from '../../emulator/index.js';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Arguments, Command } from '../command.js';
import { CommandError, UsageError } from '../errors.js';

/** The emulator for people and programs that do not embed it. */
export const emulatorCommand: Command = {
  name: 'emulator',
  description: {
    en: `Starts the WeChat platform emulator alone and prints its address on one line. Its phone is at /phone, its control
API under /_emulator/. Its world is empty, unless --demo fills it and says what to do next. It stops on SIGINT and SIGTERM.`,
    zh: `单独启动微信平台模拟器，并输出一行它的地址。它的手机在 /phone，控制 API 在 /_emulator/ 之下。
默认是一个空的世界；加 --demo 则有应用和几个人，并输出下一步。收到 SIGINT 或 SIGTERM 时停止。`,
  },
  parameters: [],
  options: {
    port: {
      value: 'N',
      summary: {
        en: 'port to listen on, 0 for a free one (default 3001)',
        zh: '监听的端口，0 表示任一空闲端口（默认 3001）',
      },
    },
    host: {
      value: 'HOST',
      summary: { en: 'address to listen on (default 127.0.0.1)', zh: '监听的地址（默认 127.0.0.1）' },
    },
    demo: {
      summary: {
        en: 'starts with apps and people, the same at every start, and prints the next steps',
        zh: '带着应用和几个人启动，每次都相同，并输出下一步',
      },
    },
    app: {
      value: 'URL',
      summary: {
        en: 'your application, for --demo (default http://localhost:3000)',
        zh: '你的应用，用于 --demo（默认 http://localhost:3000）',
      },
    },
    tls: {
      summary: {
        en: `speaks https too, with certificates for WeChat's own hosts (needs the package @peculiar/x509)`,
        zh: '同时提供 https，使用微信域名的证书（需要 @peculiar/x509 包）',
      },
    },
    'tls-directory': {
      value: 'DIR',
      summary: {
        en: 'where the certificate authority is kept; clients trust its ca.pem (default .wechat-emulator)',
        zh: '证书颁发机构的存放目录；客户端信任其中的 ca.pem（默认 .wechat-emulator）',
      },
    },
    strict: {
      summary: {
        en: 'enforces what any WeChat client or document asks for, as tests of an application want it',
        zh: '按微信客户端和文档的要求严格检查，适合应用的测试',
      },
    },
    rule: {
      value: 'NAME=VALUE',
      summary: {
        en: 'changes one rule, e.g. authorizeOrder=everywhere (GET /_emulator/rules names them)',
        zh: '修改一条规则，例如 authorizeOrder=everywhere（GET /_emulator/rules 列出全部）',
      },
      repeated: true,
    },
  },
  variables: [],
  example: `npx nestjs-wechat-iam emulator --demo
npx nestjs-wechat-iam emulator --port 3001`,
  async run({ arguments: given, print }) {
    const appUrl = appOf(given);
    const stopped = stopSignal();
    const emulator = await startEmulator({
      port: portOf(given),
      host: given.value('host') ?? '127.0.0.1',
      ...(given.has('demo') ? { seed: DEMO_SEED } : {}),
      ...(given.has('tls') ? { tls: { directory: directoryOf(given) } } : {}),
      rules: { ...(given.has('strict') ? strictRules : {}), ...rulesOf(given) },
    });
    const { endpoints } = emulator;
    const ca = given.has('tls') ? join(directoryOf(given), 'ca.pem') : null;
    const demo = given.has('demo') ? makeDemoWorld(emulator, appUrl) : null;
    const address = `emulator ${endpoints.open}${ca === null ? '' : `, by https too: trust ${ca}`}`;
    await print({
      json: { url: endpoints.open, endpoints, certificateAuthority: ca, ...(demo !== null && { demo }) },
      text: demo === null ? address : `${address}\n${describeDemoWorld(demo)}`,
    });
    await stopped;
    await emulator.stop();
    return null;
  },
};

type EmulatorOptions = NonNullable<Parameters<typeof WechatEmulator.start>[0]>;

function startEmulator(options: EmulatorOptions): Promise<WechatEmulator> {
  return WechatEmulator.start(options).catch((cause: unknown) => {
    if (!isPortTaken(cause)) throw cause;
    const message = `Another program listens on port ${options.port ?? 0}, perhaps another emulator: end it, or choose a port with --port N (0 for a free one)`;
    throw new CommandError('port_in_use', message, { cause });
  });
}

function isPortTaken(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EADDRINUSE';
}

function portOf(given: Arguments): number {
  const port = given.value('port') ?? '3001';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port: expected 0 to 65535');
  return Number(port);
}

/** Without a slash at its end. */
function appOf(given: Arguments): string {
  const text = given.value('app') ?? 'http://localhost:3000';
  if (given.value('app') !== undefined && !given.has('demo'))
    throw new UsageError('--app: goes with --demo alone');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol) || new URL(text).pathname !== '/')
    throw new UsageError('--app: expected the address of your application, such as http://localhost:3000');
  return new URL(text).origin;
}

function directoryOf(given: Arguments): string {
  return resolve(given.value('tls-directory') ?? '.wechat-emulator');
}

/** A value is text unless it reads as a number or a switch. */
function rulesOf(given: Arguments): Partial<EmulatorRules> {
  const pairs = given.values('rule').map((text): readonly [string, unknown] => {
    const [name = '', ...value] = text.split('=');
    return [name, plainValue(value.join('='))];
  });
  const rules = rulesSchema.safeParse(Object.fromEntries(pairs));
  if (!rules.success) throw new UsageError(`--rule: ${z.prettifyError(rules.error)}`);
  return Object.fromEntries(Object.entries(rules.data).filter(([, value]) => value !== undefined));
}

function plainValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

/** Fixed, with the seed: a row that was made for one run works in the next, and people keep their openids. */
const demo = {
  site: { appid: 'wxdea0000000000001', secret: 'demo-secret-of-the-website-app-1' },
  account: { appid: 'wxdea0000000000002', secret: 'demo-secret-of-the-account-00001' },
  server: { token: 'demoToken', encodingAesKey: 'demoEncodingAESKey0000000000000000000000000' },
} as const;

const people = [
  { id: 'lan', nickname: '小兰' },
  { id: 'wei', nickname: '阿伟' },
  { id: 'grace', nickname: 'Grace 🌸' },
] as const;

/** A pair that is good enough to look at the sign-in: that of RFC 7636, appendix B. */
const pkce = {
  verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
} as const;

const DEMO_SEED = 'demo';

/** What to do next with the demo's world. */
interface DemoWorld {
  readonly people: readonly string[];
  readonly phone: string;
  /** For the option `wechat` of IamModule. */
  readonly option: string;
  /** Makes the provider row, as a command and as SQL. */
  readonly command: string;
  readonly sql: string;
  /** The account page of IamPagesModule, which asks for a sign-in. */
  readonly account: string;
  /** Where a sign-in begins, for a client `web` whose redirect URI is `/signed-in` of the application. */
  readonly signIn: string;
  /** A command that exchanges the code at its end. */
  readonly exchange: string;
}

/** Fills an empty world with the apps of an application at `appUrl`, and with people. */
function makeDemoWorld(wechat: WechatEmulator, appUrl: string): DemoWorld {
  const domain = new URL(appUrl).hostname;
  const owner = wechat.openPlatformAccount();
  owner.websiteApp({ ...demo.site, name: 'Demo', callbackDomain: domain });
  owner.officialAccount({
    ...demo.account,
    ...demo.server,
    name: 'Demo',
    oauthDomain: domain,
    serverUrl: `${appUrl}/iam/webhook/wechat`,
    mode: 'safe',
  });
  for (const person of people) wechat.person(person);
  const { api, open, mp } = wechat.endpoints;
  const client = { client_id: 'web', redirect_uri: `${appUrl}/signed-in` };
  const query = new URLSearchParams({
    response_type: 'code',
    ...client,
    provider: 'wechat',
    code_challenge: pkce.challenge,
    code_challenge_method: 'S256',
  });
  const grant = { grant_type: 'authorization_code', ...client, code_verifier: pkce.verifier, code: 'CODE' };
  const fields = Object.entries(grant).map(([name, value]) => `-d ${name}=${value}`);
  return {
    people: people.map(({ nickname }) => nickname),
    phone: `${open}/phone`,
    option: `wechat: { endpoints: { api: '${api}', open: '${open}', mp: '${mp}' } }`,
    command: `echo '${JSON.stringify(row)}' | npx nestjs-wechat-iam provider add wechat --from -`,
    sql: rowSql(),
    account: `${appUrl}/iam/ui/account`,
    signIn: `${appUrl}/iam/authorize?${query.toString()}`,
    exchange: `curl ${fields.join(' ')} ${appUrl}/iam/token`,
  };
}

/** The steps, in words. */
function describeDemoWorld(world: DemoWorld): string {
  return [
    `It has the apps of one website and Official Account, and people: ${world.people.join(', ')}. Next:`,
    `1. Give your application this WeChat, as an option of IamModule, and start it:`,
    `     ${world.option}`,
    `2. Make its provider row, where its DATABASE_URL and IAM_KEY are set:`,
    `     ${world.command}`,
    `   or in SQL:`,
    `     ${world.sql}`,
    `3. Sign in (another address than this one: --app URL). With IamPagesModule:`,
    `     ${world.account}`,
    `   or as a front end begins it (client "web"):`,
    `     ${world.signIn}`,
    `4. Scan with a phone, in another tab:`,
    `     ${world.phone}`,
    `5. To a front end the browser comes back with a code, which it exchanges once, within a minute, as this does:`,
    `     ${world.exchange}`,
  ].join('\n');
}

/** The columns of the provider row, secrets in clear. */
const row = {
  name: '微信',
  open_app_id: demo.site.appid,
  open_app_secret: demo.site.secret,
  mp_app_id: demo.account.appid,
  mp_app_secret: demo.account.secret,
  mp_token: demo.server.token,
  mp_encoding_aes_key: demo.server.encodingAesKey,
};

function rowSql(): string {
  const stored = Object.entries(row).map(([name, value]) =>
    /secret|token|key/.test(name) ? `plain:${value}` : value,
  );
  const values = ['wechat', ...stored].map((value) => `'${value}'`);
  return `INSERT INTO iam.identity_providers (slug, ${Object.keys(row).join(', ')}) VALUES (${values.join(', ')});`;
}
