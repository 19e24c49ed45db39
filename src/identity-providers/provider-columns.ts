import { z } from 'zod';
import { line } from '../config/options-schema.js';
import { randomAlphanumeric } from '../crypto/random.js';

/** What the table says of a column that is no secret, beside its rule. */
interface ColumnFacts {
  readonly help: { readonly zh: string; readonly en: string };
  /** Of a new row that does not say; a column without one is then null, or the slug (`name`). */
  readonly default?: string | boolean;
  /** What a choice is between. */
  readonly options?: readonly string[];
  /** It decides whose messages and sign-ins are believed: a change takes `iam:providers:secrets`, as that of every secret does. */
  readonly isTrusted?: true;
}

type Help = readonly [zh: string, en: string];

const factsBySchema = new Map<z.ZodType, ColumnFacts>();

function column<T extends z.ZodType>(schema: T, [zh, en]: Help, facts: Omit<ColumnFacts, 'help'> = {}): T {
  factsBySchema.set(schema, { help: { zh, en }, ...facts });
  return schema;
}

const toggle = (initial: boolean, help: Help) => column(z.boolean().optional(), help, { default: initial });
/** The first option is the default. */
const choice = <const T extends readonly [string, ...string[]]>(options: T, help: Help, isTrusted?: true) =>
  column(z.enum(options).optional(), help, { default: options[0], options, ...(isTrusted && { isTrusted }) });
const appid = (help: Help) =>
  column(
    z
      .string()
      .trim()
      .min(1)
      .max(64)
      .regex(/^[\w-]*$/, { error: 'letters and digits, such as wx0123456789abcdef' })
      .nullish(),
    help,
    { isTrusted: true },
  );
const appSecret = z
  .string()
  .trim()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]*$/, { error: 'printable ASCII without spaces' })
  .refine((text) => !/^(plain|sealed):/.test(text), { error: 'the secret in clear, without a prefix' })
  .nullish();
/** Protocol section F. */
const token = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9]{3,32}$/, { error: '3 to 32 letters and digits' })
  .nullish();
const encodingAesKey = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9]{43}$/, { error: '43 letters and digits' })
  .nullish();

/** Protocol part 2, A.2: no leading slash and no query. */
const pagePath = z
  .string()
  .trim()
  .max(128)
  .regex(/^[\w-]+(\/[\w.-]+)*$/, { error: 'the path of a page, such as pages/approve/approve' })
  .nullish();

/**
 * The columns that a provider row shows, a line each. The line is the zod rule for what an administrator writes: nullish where the
 * column may be null, optional where it has a default. Entity, validation, audit, admin view and its example, and the options and help
 * of the command line follow from it: iterate `plainColumnNames`, read `factsOf(name)`, and build records with `byColumn`.
 * A new column takes a migration and its line here.
 */
const plainColumns = {
  name: column(line(100).optional(), ['显示名称（默认为标识）', 'shown to people (default: the slug)']),
  enabled: toggle(true, ['是否启用', 'whether people can sign in through it']),
  sign_up: choice(
    ['auto', 'bind', 'off'],
    [
      '第一次见到的人：创建用户、绑定已有账号、拒绝',
      'a person not seen before: a new user, an account of yours, or refused',
    ],
  ),
  open_app_id: appid(['开放平台网站应用', 'Open Platform website app (开放平台网站应用)']),
  mp_app_id: appid(['服务号', 'Official Account (服务号)']),
  mp_scope: choice(
    ['snsapi_userinfo', 'snsapi_base'],
    ['微信内授权：询问昵称与头像，或静默', 'inside WeChat: asks for nickname and picture, or silent'],
  ),
  mp_message_mode: choice(
    ['safe', 'compatible', 'plain'],
    ['消息加解密方式', 'how WeChat encrypts its messages'],
    true,
  ),
  qr_enabled: toggle(false, ['电脑上显示二维码', 'a QR code on PCs']),
  qr_with: choice(
    ['follow', 'page', 'mini'],
    [
      '二维码如何打开：关注公众号、在微信中打开网页、小程序',
      'what the QR code opens: the Official Account to follow, a page in WeChat, a mini program',
    ],
  ),
  qr_login_with: choice(['mp', 'open'], ['扫码之后', 'what follows the scan']),
  qr_confirmation: choice(['tap', 'number', 'none'], ['扫码之后如何确认', 'how a scan is confirmed']),
  mini_app_id: appid(['小程序', 'mini program (小程序)']),
  mini_session_keys: toggle(false, [
    '保管 session_key，供 `WechatApi` 签名与解密',
    'keeps session keys, for `WechatApi` to sign and decrypt',
  ]),
  mini_approval_page: column(pagePath, [
    '小程序中确认登录的页面路径',
    'path of the page of the mini program that confirms sign-ins',
  ]),
  mini_link: choice(
    ['none', 'scheme'],
    [
      '手机浏览器打开小程序的方式：无、明文 scheme',
      'how a phone browser opens the mini program: not at all, by its plain scheme',
    ],
  ),
  mobile_app_id: appid(['移动应用', 'mobile app (移动应用)']),
  union_scope: column(
    line(64).nullish(),
    [
      '同一开放平台账号的各行相同（默认为标识）',
      'rows of one Open Platform account share it (default: the slug)',
    ],
    { isTrusted: true },
  ),
};

/** The columns that hold a secret: stored sealed, and shown only as set or not. */
export const secretColumns = {
  open_app_secret: appSecret,
  mp_app_secret: appSecret,
  mp_token: token,
  mp_token_previous: token,
  mp_encoding_aes_key: encodingAesKey,
  mp_encoding_aes_key_previous: encodingAesKey,
  mini_app_secret: appSecret,
  mobile_app_secret: appSecret,
};

/** A column that is shown as it is. */
export type PlainColumn = keyof typeof plainColumns;

/** A column that holds a secret. */
export type SecretColumn = keyof typeof secretColumns;

/** Every `PlainColumn`, in the order of the table. */
export const plainColumnNames = keysOf(plainColumns);

/** Every `SecretColumn`, in the order of the table. */
export const secretColumnNames = keysOf(secretColumns);

/** What may be changed of a row; null clears a column. */
export const identityProviderChanges = z.strictObject({ ...plainColumns, ...secretColumns });

/** A row as an administrator writes it: keys are the names of its columns, secrets in clear. */
export const identityProviderInput = identityProviderChanges.extend({
  slug: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'lower-case letters, digits, - and _, at most 63' }),
});

/** Input of `IdentityProviders.save`; a key left out keeps its value (or its default in a new row). */
export type IdentityProviderInput = z.infer<typeof identityProviderInput>;

/** As `IdentityProviderInput`, of a row that is known otherwise. */
export type IdentityProviderChanges = z.infer<typeof identityProviderChanges>;

/** The columns as a row holds them; a secret is then sealed, or `plain:…` as written by hand in SQL. */
export type StoredColumns = {
  [C in keyof IdentityProviderChanges]-?: Exclude<IdentityProviderChanges[C], undefined>;
};

/** What the table says of a column. */
export function factsOf(name: PlainColumn): ColumnFacts & { readonly isNullable: boolean } {
  const facts = factsBySchema.get(plainColumns[name]);
  if (facts === undefined) throw new TypeError(`${name} has no line in the table`);
  return { ...facts, isNullable: plainColumns[name].safeParse(null).success };
}

/** A record with a value for each column of the list. */
export function byColumn<C extends string, V>(names: readonly C[], valueOf: (name: C) => V): Record<C, V> {
  const record: Record<string, V> = Object.fromEntries(names.map((name) => [name, valueOf(name)]));
  const hasAll = (made: Record<string, V>): made is Record<C, V> => names.every((name) => name in made);
  if (!hasAll(record)) throw new TypeError('a column is missing');
  return record;
}

/**
 * The two values that both sides hold, so that a change of them needs a time in which the old one still works: how long
 * a new one is (protocol section F), and where the old one goes.
 */
export const sharedSecrets = {
  mp_token: { length: 32, previous: 'mp_token_previous' },
  mp_encoding_aes_key: { length: 43, previous: 'mp_encoding_aes_key_previous' },
} as const satisfies Partial<
  Record<SecretColumn, { readonly length: number; readonly previous: SecretColumn }>
>;

/** A value that both sides hold. */
type SharedSecret = keyof typeof sharedSecrets;

/** A column that can be rotated. */
export type RotatableSecret = Exclude<SecretColumn, `${string}_previous`>;

/** Every `RotatableSecret`, those that both sides hold first. */
export const rotatableSecrets = [
  ...keysOf(sharedSecrets),
  ...secretColumnNames.filter((name): name is Exclude<RotatableSecret, SharedSecret> =>
    name.endsWith('_app_secret'),
  ),
];

/** True for a value that we may choose ourselves; AppSecrets are WeChat's. */
export function isSharedSecret(secret: RotatableSecret): secret is SharedSecret {
  return secret in sharedSecrets;
}

/** A new random value of the form that WeChat's console takes; an AppSecret is WeChat's to choose. */
export function newSecret(secret: RotatableSecret): string {
  if (!isSharedSecret(secret)) throw new TypeError(`${secret} comes from WeChat`);
  return randomAlphanumeric(sharedSecrets[secret].length);
}

function keysOf<T extends object>(table: T): (keyof T & string)[] {
  return Object.keys(table).filter((key): key is keyof T & string => key in table);
}
