import type { Type } from '@nestjs/common';
import { z } from 'zod';
import type { IamHooks } from './iam.hooks.js';
import type { IamClient, IamOptions, IamStaticOptions } from './iam.options.js';
import type { ResolvedIamOptions } from './iam.resolved-options.js';
import { KeyRing } from './crypto/key-ring.js';
import { resolveWechatEndpoints } from './wechat/endpoints.js';

const DAY = 86_400;

const seconds = (fallback: number, max: number) =>
  z
    .number({ error: 'a number of seconds' })
    .int({ error: 'a whole number of seconds' })
    .min(1, { error: 'at least 1 second' })
    .max(max, { error: `at most ${max} seconds` })
    .default(fallback);

const absoluteUrl = z
  .string({ error: 'an absolute URL' })
  .refine(isAbsoluteHttpUrl, { error: 'an absolute http(s) URL without fragment' })
  .regex(/^[\x21-\x7e]*$/, { error: 'a URL in ASCII (punycode host, percent-encoded path)' });

const publicUrl = z
  .string({ error: 'an absolute http(s) URL, such as https://app.example.com' })
  .refine(isOrigin, {
    error: 'an absolute http(s) URL without path, query or fragment, such as https://app.example.com',
  })
  .transform((url) => new URL(url).origin);

const key = z
  .string({ error: '32 random bytes in base64 (is the environment variable set?)' })
  .regex(/^[A-Za-z0-9+/_-]{43}=?$/, {
    error: '32 random bytes in base64, e.g. from `openssl rand -base64 32`',
  })
  .transform((text) => Buffer.from(text, 'base64'));

const client = z.strictObject({
  id: z
    .string({ error: 'a client_id' })
    .regex(/^[\x21-\x7e]{1,128}$/, { error: '1 to 128 visible ASCII characters' }),
  redirectUris: z
    .array(absoluteUrl, { error: 'an array of absolute URLs' })
    .min(1, { error: 'at least one URL' }),
});

const optionsSchema = z.strictObject({
  publicUrl,
  keys: z
    .array(key, { error: 'an array of 32-byte base64 keys' })
    .min(1, { error: 'at least one 32-byte base64 key' }),
  clients: z
    .array(client, { error: 'an array of { id, redirectUris }' })
    .min(1, { error: 'at least one client' }),
  wechat: z
    .strictObject({
      endpoints: z
        .strictObject({ api: z.string().optional(), open: z.string().optional(), mp: z.string().optional() })
        .default({}),
      timeout: z.number().int().min(1).max(60_000, { error: 'at most 60000 milliseconds' }).default(5_000),
      allowLoopback: z.boolean().optional(),
    })
    .prefault({}),
  tokens: z
    .strictObject({
      accessToken: seconds(900, 3_600),
      idle: seconds(30 * DAY, 400 * DAY),
      absolute: seconds(90 * DAY, 3_650 * DAY),
      refreshGrace: seconds(10, 60),
      audience: z.string().min(1).optional(),
    })
    .prefault({}),
  profileFreshness: seconds(DAY, 365 * DAY),
  loginLifetime: seconds(600, 600),
  rateLimits: z
    .union(
      [
        z.literal('off'),
        z.strictObject({
          qrPerAddressAndMinute: z.number().int().min(1).default(60),
          qrPerAddressAndDay: z.number().int().min(1).default(2_000),
          qrPerAccountAndDay: z.number().int().min(1).max(100_000).default(90_000),
        }),
      ],
      { error: "'off' or { qrPerAddressAndMinute, qrPerAccountAndDay } of whole numbers" },
    )
    .prefault({}),
  siteName: z
    .string({ error: 'a name' })
    .trim()
    .min(1)
    .max(60, { error: 'at most 60 characters' })
    .optional(),
  hooks: z.custom<Type<IamHooks>>((value) => typeof value === 'function', { error: 'a class' }).optional(),
});

const pathSchema = z
  .string({ error: 'a path such as iam' })
  .transform((path) => path.replace(/^\/+|\/+$/g, ''))
  .refine((path) => /^[\w-]+(\/[\w-]+)*$/.test(path), {
    error: 'a path of letters, digits, - and _, such as iam or auth/iam',
  });

/**
 * Fills in defaults and checks everything once.
 * @throws TypeError that names the option and what was expected
 */
export function resolveOptions(options: IamOptions, statics: IamStaticOptions): ResolvedIamOptions {
  const checked = parse(optionsSchema, options);
  const allowLoopback = checked.wechat.allowLoopback ?? isLoopback(checked.publicUrl);
  return Object.freeze({
    publicUrl: checked.publicUrl,
    isHttps: checked.publicUrl.startsWith('https:'),
    path: resolvePath(statics.path),
    keyRing: new KeyRing(checked.keys),
    clients: indexClients(checked.clients),
    wechat: {
      endpoints: resolveWechatEndpoints(definedEntries(checked.wechat.endpoints), { allowLoopback }),
      timeout: checked.wechat.timeout,
      allowLoopback,
    },
    tokens: { ...checked.tokens, audience: checked.tokens.audience ?? checked.publicUrl },
    profileFreshness: checked.profileFreshness,
    loginLifetime: checked.loginLifetime,
    rateLimits: checked.rateLimits,
    siteName: checked.siteName ?? new URL(checked.publicUrl).host,
    hooks: checked.hooks,
  });
}

const staticsSchema = z.object({
  path: pathSchema.optional(),
  globalGuard: z.boolean({ error: 'true or false' }).optional(),
  dataSource: z.string({ error: 'the name of a TypeORM connection' }).min(1).optional(),
});

/** @throws TypeError that names the option and what was expected */
export function checkStatics(statics: IamStaticOptions): void {
  parse(staticsSchema, statics);
}

/** The path of every endpoint, without slashes at its ends. */
export function resolvePath(path: string | undefined): string {
  return path === undefined ? 'iam' : parse(pathSchema, path, 'path');
}

function parse<T>(schema: z.ZodType<T>, input: unknown, name?: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const option = name ?? issue?.path.reduce<string>(appendPath, '') ?? '';
  const unknown = issue?.code === 'unrecognized_keys' ? `unknown option ${issue.keys.join(', ')}` : undefined;
  throw new TypeError(
    `IamModule option ${option === '' ? '(root)' : `\`${option}\``}: ${unknown ?? `expected ${expectation(issue?.message)}`}`,
  );
}

/** Zod's own messages begin with what is wrong; ours say what was expected. */
function expectation(message = 'another value'): string {
  return message.replace(/^[^:]*: expected /, '');
}

function appendPath(path: string, part: PropertyKey): string {
  if (typeof part === 'number') return `${path}[${part}]`;
  return path === '' ? String(part) : `${path}.${String(part)}`;
}

function indexClients(clients: readonly IamClient[]): ReadonlyMap<string, IamClient> {
  const byId = new Map(clients.map((each) => [each.id, each]));
  if (byId.size !== clients.length)
    throw new TypeError('IamModule option `clients`: expected every `id` once');
  return byId;
}

function definedEntries(endpoints: {
  api?: string | undefined;
  open?: string | undefined;
  mp?: string | undefined;
}) {
  const { api, open, mp } = endpoints;
  return {
    ...(api !== undefined && { api }),
    ...(open !== undefined && { open }),
    ...(mp !== undefined && { mp }),
  };
}

function isAbsoluteHttpUrl(text: string): boolean {
  if (!URL.canParse(text) || /[\s\\]/.test(text) || text.includes('#')) return false;
  const url = new URL(text);
  return (
    (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === ''
  );
}

function isOrigin(text: string): boolean {
  if (!isAbsoluteHttpUrl(text)) return false;
  const { origin } = new URL(text);
  return text === origin || text === `${origin}/`;
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}
