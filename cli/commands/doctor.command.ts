import { lookup } from 'node:dns';
import type { ResolvedIamOptions } from '../../src/config/iam.resolved-options.js';
import { resolveWechatEndpoints } from '../../src/config/endpoints.js';
import { openConnection } from '../../src/wechat/connection.js';
import { languageOf, languageOption, type Command, type Result } from '../command.js';
import { withDatabase } from '../database.js';
import type { Environment } from '../environment.js';
import { withIam } from '../open-iam.js';
import { visible } from '../output.js';
import {
  attempt,
  DoctorModule,
  examineDatabase,
  examineRows,
  type Finding,
  ok,
  same,
} from './doctor-database.js';

/** Looks at all that a sign-in needs, and says how to mend what is wrong. */
export const doctorCommand: Command = {
  name: 'doctor',
  description: {
    en: `Looks at all that a sign-in needs: the database and its tables, the keys, the clocks, the identity providers, WeChat's
pushes and its hosts. A line for each: ok, warn or FAIL, with a remedy. It changes nothing, and needs no running
application. Run it on a server of your application. Exit code 1 when there is a FAIL.`,
    zh: `检查登录所需的一切：数据库及其表、密钥、时钟、身份源、微信的推送和微信的域名。每项一行：ok、warn 或 FAIL，并给出处理办法。
不做任何修改，也不需要应用在运行。请在应用的服务器上运行。有 FAIL 时退出码为 1。`,
  },
  parameters: [],
  options: { lang: languageOption },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'WECHAT_API_URL', 'WECHAT_PROXY', 'LANG'],
  example: 'npx nestjs-wechat-iam doctor',
  async run(call) {
    return toResult(await examine(call.environment, languageOf(call)), languageOf(call));
  },
};

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

function toResult(findings: readonly Finding[], language: 'zh' | 'en'): Result {
  const checks = findings.map(({ id, status, detail, remedy }) => ({
    id,
    status,
    detail: detail[language],
    remedy: remedy?.[language] ?? null,
  }));
  const lines = checks.flatMap(({ id, status, detail, remedy }) => [
    `${marks[status]}  ${id.padEnd(10)}  ${visible(detail)}`,
    ...(remedy === null ? [] : [`                  → ${visible(remedy)}`]),
  ]);
  const fails = checks.filter(({ status }) => status === 'fail').length;
  return { json: { ok: fails === 0, checks }, text: lines.join('\n'), foundProblems: fails > 0 };
}

async function examine(environment: Environment, language: 'zh' | 'en'): Promise<Finding[]> {
  const settings = readSettings(environment);
  const wechat = await askWechat(environment);
  const inDatabase = await attempt('database', environment, async () => {
    const found = await withDatabase(environment, (dataSource) =>
      examineDatabase(dataSource, wechat.aheadMs),
    );
    const isWhole = found.every(({ id, status }) => id !== 'migrations' || status === 'ok');
    if (!isWhole || settings.options === null) return found;
    const parts = { module: DoctorModule, options: settings.options };
    return [
      ...found,
      ...(await withIam(environment, parts, (iam) => examineRows(iam, environment, language))),
    ];
  });
  return [...settings.findings, ...inDatabase, ...wechat.findings];
}

function readSettings(environment: Environment): {
  readonly options: ResolvedIamOptions | null;
  readonly findings: Finding[];
} {
  try {
    const options = environment.options({ needsPublicUrl: false });
    const publicUrl = environment.read('PUBLIC_URL');
    if (publicUrl !== undefined) return { options, findings: [ok('settings', same(publicUrl))] };
    const detail = { en: 'PUBLIC_URL is not set', zh: '没有设置 PUBLIC_URL' };
    const remedy = {
      en: 'set it to the option `publicUrl` of your application, for the addresses to register with WeChat',
      zh: '设为应用的选项 `publicUrl`，才能给出要在微信登记的地址',
    };
    return { options, findings: [{ id: 'settings', status: 'warn', detail, remedy }] };
  } catch (error) {
    const detail = same(error instanceof Error ? error.message : String(error));
    const remedy = {
      en: 'keys and identity providers were not looked at; give this shell the settings of your application',
      zh: '没有检查密钥和身份源；请在此 shell 中提供应用的设置',
    };
    return { options: null, findings: [{ id: 'settings', status: 'fail', detail, remedy }] };
  }
}

const PATIENCE_MS = 5_000;

/** Any response will do: only its time is read. `aheadMs`: how far WeChat's clock is ahead of this machine's. */
async function askWechat(
  environment: Environment,
): Promise<{ readonly aheadMs: number | null; readonly findings: Finding[] }> {
  const hosts = endpointsOf(environment);
  const proxy = environment.read('WECHAT_PROXY');
  const asked = await Promise.all(
    Object.entries(hosts).map(async ([name, url]) => ({ name, url, date: await dateOf(url, proxy) })),
  );
  const findings = asked.map(({ name, url, date }): Finding => {
    // Neither a user nor a path, which may be a secret of a relay.
    const { host } = new URL(url);
    if (date !== null) return ok('wechat', { en: `${host} answers`, zh: `${host} 有响应` });
    return {
      id: 'wechat',
      // Browsers go to the other two.
      status: name === 'api' && !isTrial(environment) ? 'fail' : 'warn',
      detail: { en: `${host} does not answer from here`, zh: `从本机连不上 ${host}` },
      remedy: {
        en: `let this machine reach ${host} (DNS, firewall); where only a proxy does, set WECHAT_PROXY; beside the emulator, set WECHAT_API_URL, WECHAT_OPEN_URL and WECHAT_MP_URL`,
        zh: `让本机能访问 ${host}（DNS、防火墙）；只能经代理时，设置 WECHAT_PROXY；使用模拟器时，设置 WECHAT_API_URL、WECHAT_OPEN_URL、WECHAT_MP_URL`,
      },
    };
  });
  const date = asked.find(({ name }) => name === 'api')?.date;
  const time = Date.parse(date ?? '');
  return { aheadMs: Number.isNaN(time) ? null : time - Date.now(), findings };
}

/** A developer's machine, whose application may have an emulator for its WeChat, which only the application knows. */
function isTrial(environment: Environment): boolean {
  const publicUrl = environment.read('PUBLIC_URL') ?? '';
  return environment.read('WECHAT_API_URL') === undefined && publicUrl.startsWith('http:');
}

/** Where a setting cannot be read, `settings` says so. */
function endpointsOf(environment: Environment) {
  const given = { api: 'WECHAT_API_URL', open: 'WECHAT_OPEN_URL', mp: 'WECHAT_MP_URL' } as const;
  const urls = Object.entries(given).map(([name, variable]) => [name, environment.read(variable)] as const);
  const own = Object.fromEntries(urls.filter(([, url]) => url !== undefined && URL.canParse(url)));
  return { ...resolveWechatEndpoints({}, { allowLoopback: true }), ...own };
}

/** The `Date` header, empty where there is none; null without a response. */
async function dateOf(url: string, proxy: string | undefined): Promise<string | null> {
  try {
    const { request } = await import('undici');
    const dispatcher = await openConnection(proxy, lookup);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { headers, body } = await request(`${url}/`, { dispatcher, signal });
    await body.dump();
    await dispatcher.close();
    return String(headers['date'] ?? '');
  } catch {
    return null;
  }
}
