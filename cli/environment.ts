import { reasonOf } from '../src/errors/unknown.js';
import type { IamOptions } from '../src/config/iam.options.js';
import {
  type ResolvedIamOptions,
  resolveOptions,
  resolveStatics,
} from '../src/config/iam.resolved-options.js';
import type { Text } from './output.js';
import { EnvironmentError } from './errors.js';

/** The environment variables of the commands, as the help explains them. */
export const variables = {
  DATABASE_URL: {
    en: 'the PostgreSQL of your application, e.g. postgres://app:…@db.internal:5432/app',
    zh: '你的应用的 PostgreSQL，例如 postgres://app:…@db.internal:5432/app',
  },
  IAM_KEYS: {
    en: 'the option `keys` of IamModule, separated by commas: the first seals (or IAM_KEY with one key)',
    zh: 'IamModule 的选项 `keys`，以逗号分隔，第一个用来加密（只有一个密钥时可用 IAM_KEY）',
  },
  PUBLIC_URL: {
    en: 'the option `publicUrl` of IamModule, e.g. https://app.example.com; without it no addresses to register are shown',
    zh: 'IamModule 的选项 `publicUrl`，例如 https://app.example.com；没有它就不显示要登记的地址',
  },
  IAM_PATH: {
    en: 'the option `path` of IamModule, after your global prefix if any (default iam)',
    zh: 'IamModule 的选项 `path`，在全局前缀之后（默认 iam）',
  },
  WECHAT_API_URL: {
    en: 'another WeChat than the real one, e.g. the emulator; also WECHAT_OPEN_URL, WECHAT_MP_URL',
    zh: '另一个微信，例如模拟器；还有 WECHAT_OPEN_URL、WECHAT_MP_URL',
  },
  WECHAT_PROXY: {
    en: "the option `wechat.proxy` of IamModule: a proxy's URL, or `environment` for HTTPS_PROXY",
    zh: 'IamModule 的选项 `wechat.proxy`：代理的 URL，或 `environment`（即 HTTPS_PROXY）',
  },
  LANG: {
    en: 'zh… for the help and findings in Chinese (default English); LC_ALL goes before it',
    zh: 'zh… 表示帮助和检查结果用中文（默认英文）；LC_ALL 优先',
  },
} as const satisfies Readonly<Record<string, Text>>;

/** A variable that a command may read. */
export type VariableName = keyof typeof variables;

/** Access tokens live an hour at most, whatever the application has chosen: nothing that a command retires ends before them. */
const LONGEST_ACCESS_TOKEN = 3_600;

/** What the operator has set; every getter throws an EnvironmentError that names the variable, and never quotes it. */
export class Environment {
  constructor(private readonly values: Readonly<Record<string, string | undefined>>) {}

  /** An empty variable counts as unset. */
  read(name: string): string | undefined {
    const value = this.values[name]?.trim();
    return value === '' ? undefined : value;
  }

  get databaseUrl(): string {
    const url = this.read('DATABASE_URL');
    if (url === undefined) throw missing('DATABASE_URL');
    if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol))
      throw new EnvironmentError('DATABASE_URL: expected postgres://user:password@host:port/database');
    return url;
  }

  /** Of what people read: Chinese where the shell is. */
  get language(): 'zh' | 'en' {
    const set = this.read('LC_ALL') ?? this.read('LC_MESSAGES') ?? this.read('LANG');
    return /^zh/i.test(set ?? '') ? 'zh' : 'en';
  }

  /** The module's options, as far as commands need them. */
  options({ needsPublicUrl }: { readonly needsPublicUrl: boolean }): ResolvedIamOptions {
    const { keys } = this;
    const publicUrl = this.read('PUBLIC_URL') ?? (needsPublicUrl ? undefined : 'http://localhost');
    if (publicUrl === undefined) throw missing('PUBLIC_URL');
    const options: IamOptions = {
      publicUrl,
      keys,
      clients: [{ id: 'cli', redirectUris: ['http://localhost/'] }],
      tokens: { accessToken: LONGEST_ACCESS_TOKEN },
      wechat: this.wechat,
      background: false,
    };
    try {
      return resolveOptions(options, resolveStatics({ path: this.read('IAM_PATH') }));
    } catch (cause) {
      throw new EnvironmentError(explain(cause), { cause });
    }
  }

  /** Whatever must not be seen in any output: an error of PostgreSQL's driver is not ours to word. */
  get secrets(): readonly string[] {
    const urls = [this.read('DATABASE_URL') ?? '', this.read('WECHAT_PROXY') ?? ''];
    const passwords = urls.map((url) => (URL.canParse(url) ? new URL(url).password : ''));
    const shown = [...urls.filter((url) => url !== 'environment'), ...passwords, ...passwords.map(decode)];
    return [...shown, ...this.keysGiven()].filter((text) => text.length > 3);
  }

  private get keys(): readonly string[] {
    const keys = this.keysGiven();
    if (keys.length === 0) throw missing('IAM_KEYS');
    return keys;
  }

  private keysGiven(): readonly string[] {
    const given = this.read('IAM_KEYS') ?? this.read('IAM_KEY') ?? '';
    return given
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== '');
  }

  /** Where another WeChat is named, it may be one on this machine. */
  private get wechat(): NonNullable<IamOptions['wechat']> {
    const [api, open, mp] = ['WECHAT_API_URL', 'WECHAT_OPEN_URL', 'WECHAT_MP_URL'].map((name) =>
      this.read(name),
    );
    const endpoints = {
      ...(api !== undefined && { api }),
      ...(open !== undefined && { open }),
      ...(mp !== undefined && { mp }),
    };
    const proxy = this.read('WECHAT_PROXY');
    return {
      ...(Object.keys(endpoints).length > 0 && { endpoints, allowLoopback: true }),
      ...(proxy !== undefined && { proxy }),
    };
  }
}

function missing(name: 'DATABASE_URL' | 'IAM_KEYS' | 'PUBLIC_URL'): EnvironmentError {
  return new EnvironmentError(`${name} is not set: expected ${variables[name].en}`);
}

const optionNames: readonly (readonly [RegExp, string])[] = [
  [/IamModule option `publicUrl`/, 'PUBLIC_URL'],
  [/IamModule option `keys(\[\d+\])?`/, 'IAM_KEYS'],
  [/IamModule option `path`/, 'IAM_PATH'],
  [/IamModule option `wechat\.proxy`|^wechat\.proxy/, 'WECHAT_PROXY'],
  [/^wechat\.endpoints\.(api|open|mp)/, 'WECHAT_$1_URL'],
];

/** The module's words about its options, with the variable's name instead. */
function explain(cause: unknown): string {
  const message = reasonOf(cause);
  const [pattern, name] = optionNames.find(([each]) => each.test(message)) ?? [/^/, ''];
  const named = message.replace(pattern, name);
  return named.replace(/WECHAT_(api|open|mp)_URL/, (text) => text.toUpperCase());
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
