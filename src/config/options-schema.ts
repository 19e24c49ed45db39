import type { CanActivate, Type } from '@nestjs/common';
import { z } from 'zod';
import type { IamAuditSink, IamHooks } from './iam.hooks.js';
import type { TlsSettings } from './iam.options.js';
import { isPublicHost } from './address-guard.js';

const DAY = 86_400;

const whole = (unit: string, min: number, max: number) =>
  z
    .number({ error: `a number of ${unit}` })
    .int({ error: `a whole number of ${unit}` })
    .min(min, { error: `at least ${min} ${min === 1 ? unit.slice(0, -1) : unit}` })
    .max(max, { error: `at most ${max} ${unit}` });

const seconds = (fallback: number, max: number) => whole('seconds', 1, max).default(fallback);

/** A line of text that people read. PostgreSQL refuses NUL and half a character, and such a line has no other control characters. */
export const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'no control characters' });

/** Where a sign-in may return. */
export const absoluteUrl = z
  .string({ error: 'an absolute URL' })
  .refine(isAbsoluteHttpUrl, { error: 'an absolute http(s) URL without fragment' })
  .regex(/^[\x21-\x7e]*$/, { error: 'a URL in ASCII (punycode host, percent-encoded path)' })
  .refine(isProtected, { error: 'an https URL; http is for loopback and private networks only' });

const publicUrl = z
  .string({ error: 'an absolute http(s) URL, such as https://app.example.com' })
  .refine(isOrigin, {
    error: 'an absolute http(s) URL without path, query or fragment, such as https://app.example.com',
  })
  .refine(isProtected, { error: 'an https URL; http is for loopback and private networks only' })
  .transform((url) => new URL(url).origin);

/** What scripts of a page name as `Origin`. */
export const origin = z
  .string({ error: 'an origin such as https://www.example.com' })
  .refine((text) => isOrigin(text) && !text.endsWith('/'), {
    error: 'an origin without path and slash, such as https://www.example.com',
  });

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
  name: line(100).exactOptional(),
  redirectUris: z.array(absoluteUrl, { error: 'an array of absolute URLs' }),
  tokens: z.enum(['bearer', 'cookie'], { error: "'bearer' or 'cookie'" }).default('bearer'),
  origins: z.array(origin, { error: 'an array of origins such as https://www.example.com' }).default([]),
});

const resource = z.strictObject({
  identifier: absoluteUrl.refine((text) => /^https?:\/\/[^/?]+(?:\/[\w.~/-]*)?$/.test(text), {
    error: 'a URL without query, whose path has letters, digits and . _ ~ - alone',
  }),
  name: line(100).exactOptional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/, { error: 'a scope (RFC 6749 §3.3)' }), {
      error: 'an array of scopes',
    })
    .default([]),
  client: z.string({ error: 'a client_id' }).min(1).max(128).exactOptional(),
});

const database = z.strictObject(
  {
    url: z
      .string({ error: 'postgres://user:password@host:port/database (is the environment variable set?)' })
      .refine((text) => URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol), {
        error: 'postgres://user:password@host:port/database, with special characters percent-encoded',
      })
      .exactOptional(),
    poolSize: z
      .number({ error: 'a number of connections' })
      .int()
      .min(2, { error: 'at least 2' })
      .default(10),
    ssl: z
      .custom<boolean | TlsSettings>(
        (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
        { error: 'true, false or what node:tls takes' },
      )
      .optional(),
    migrationsRun: z.boolean({ error: 'true or false' }).default(false),
    preparedStatements: z.boolean({ error: 'true or false' }).default(true),
  },
  { error: '{ url } or { preparedStatements }' },
);

const sessionLimit = z
  .strictObject(
    {
      perUser: whole('sessions', 1, 1_000).exactOptional(),
      perClient: whole('sessions', 1, 1_000).exactOptional(),
      then: z.enum(['end_oldest', 'refuse'], { error: "'end_oldest' or 'refuse'" }),
    },
    { error: "{ perUser, then: 'end_oldest' }" },
  )
  .refine(({ perUser, perClient }) => (perUser ?? perClient) !== undefined, {
    error: 'perUser, perClient or both',
  });

const hostClass = <T>() =>
  z.custom<Type<T>>((value) => typeof value === 'function', { error: 'a class' }).optional();

/** `IamOptions` as a host writes them; each message is the expectation. */
export const optionsSchema = z.strictObject({
  publicUrl,
  keys: z
    .array(key, { error: 'an array of 32-byte base64 keys, each made with openssl rand -base64 32' })
    .min(1, { error: 'at least one 32-byte base64 key, made with openssl rand -base64 32' }),
  clients: z.array(client, { error: 'an array of { id, redirectUris }' }),
  resources: z.array(resource, { error: 'an array of { identifier }' }).default([]),
  database: database.prefault({}),
  wechat: z
    .strictObject({
      endpoints: z
        .strictObject({ api: z.string().optional(), open: z.string().optional(), mp: z.string().optional() })
        .default({}),
      timeout: whole('milliseconds', 1, 60_000).default(5_000),
      allowLoopback: z.boolean().optional(),
      allowPrivateEndpoints: z.boolean({ error: 'true or false' }).default(false),
      proxy: z
        .string({ error: "a proxy's URL, or 'environment'" })
        .refine((text) => text === 'environment' || isProxyUrl(text), {
          error: "a proxy's URL such as http://proxy.internal:3128, or 'environment'",
        })
        .optional(),
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
  sessions: z
    .strictObject(
      {
        limit: sessionLimit.optional(),
        browser: z
          .strictObject(
            { idle: seconds(DAY, 400 * DAY), absolute: seconds(7 * DAY, 400 * DAY) },
            { error: '{ idle, absolute }' },
          )
          .prefault({}),
      },
      { error: '{ limit, browser }' },
    )
    .prefault({}),
  profileFreshness: seconds(DAY, 365 * DAY),
  loginLifetime: seconds(600, 600),
  databaseTimeout: whole('milliseconds', 100, 60_000).default(5_000),
  rateLimits: z
    .union(
      [
        z.literal('off'),
        z.strictObject({
          qrPerAddressAndMinute: z.number().int().min(1).default(60),
          qrPerAddressAndDay: z.number().int().min(1).default(2_000),
          qrPerAccountAndDay: z.number().int().min(1).max(100_000).default(48_000),
          failuresPerAddressAndMinute: z.number().int().min(1).default(120),
          failuresPerAddressAndDay: z.number().int().min(1).default(2_000),
        }),
      ],
      { error: "'off' or { qrPerAddressAndMinute, failuresPerAddressAndMinute, … } of whole numbers" },
    )
    .prefault({}),
  scenePrefix: z
    .string({ error: 'a text such as iam:' })
    .regex(/^(?!qrscene_)[\w:.-]{0,19}[:._-]$/, {
      error:
        '1 to 20 letters, digits or : . _ - that end with one of these four, and not qrscene_, which WeChat writes itself',
    })
    .default('iam:'),
  siteName: z
    .string({ error: 'a name' })
    .trim()
    .min(1)
    .max(60, { error: 'at most 60 characters' })
    .optional(),
  hooks: hostClass<IamHooks>(),
  hookTimeout: whole('milliseconds', 1, 60_000).default(10_000),
  background: z.boolean({ error: 'true or false' }).default(true),
  hostMiddleware: z.enum(['skip', 'run'], { error: "'skip' or 'run'" }).default('skip'),
  admin: z
    .strictObject({
      token: z
        .string({ error: 'a text of at least 32 characters' })
        .regex(/^[\w.~+/=-]{32,512}$/, {
          error: 'at least 32 letters, digits or - . _ ~ + / = (openssl rand -hex 32)',
        })
        .optional(),
      guard: hostClass<CanActivate>(),
      crossDeviceSessions: z.enum(['allow', 'refuse'], { error: "'allow' or 'refuse'" }).default('allow'),
    })
    .prefault({}),
  audit: z
    .strictObject({
      retentionDays: whole('days', 30, 36_500).default(400),
      sink: hostClass<IamAuditSink>(),
    })
    .prefault({}),
  sessionCheck: z.enum(['never', 'always'], { error: "'never' or 'always'" }).default('never'),
  recentSignIn: seconds(900, DAY),
  profile: z
    .enum(['host_wins', 'wechat_wins'], { error: "'host_wins' or 'wechat_wins'" })
    .default('host_wins'),
  phone: z.strictObject({ unique: z.boolean({ error: 'true or false' }).default(false) }).prefault({}),
  deletionGraceDays: whole('days', 0, 365).default(7),
});

function isAbsoluteHttpUrl(text: string): boolean {
  if (!URL.canParse(text) || /[\s\\]/.test(text) || text.includes('#')) return false;
  const url = new URL(text);
  return (
    (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === ''
  );
}

/** A code that travels over the public internet in clear can be read (RFC 9700 §2.6). */
function isProtected(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || !isPublicHost(hostname);
}

function isOrigin(text: string): boolean {
  if (!isAbsoluteHttpUrl(text)) return false;
  const { origin } = new URL(text);
  return text === origin || text === `${origin}/`;
}

function isProxyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && pathname === '/' && search === '' && hash === '';
}
