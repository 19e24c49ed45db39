import { z } from 'zod';
import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import type { IamOptions, IamStaticOptions } from './iam.options.js';
import { type ResolvedIamClient, type ResolvedIamOptions, IAM_OPTIONS } from './iam.resolved-options.js';
import { Secret } from '../crypto/secret.js';
import { KeyRing } from '../crypto/key-ring.js';
import { optionsSchema } from './options-schema.js';
import { resolveWechatEndpoints } from './endpoints.js';

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
  checkDatabase(checked.database !== undefined, statics.dataSource);
  const allowLoopback = checked.wechat.allowLoopback ?? isLoopback(checked.publicUrl);
  return Object.freeze({
    publicUrl: checked.publicUrl,
    isHttps: checked.publicUrl.startsWith('https:'),
    path: resolvePath(statics.path),
    database: checked.database,
    keyRing: new KeyRing(checked.keys),
    clients: indexClients(checked.clients),
    wechat: {
      endpoints: resolveWechatEndpoints(definedEntries(checked.wechat.endpoints), {
        allowLoopback,
        allowPrivateEndpoints: checked.wechat.allowPrivateEndpoints,
      }),
      allowPrivateEndpoints: checked.wechat.allowPrivateEndpoints,
      proxy: checked.wechat.proxy === undefined ? undefined : new Secret(checked.wechat.proxy),
      timeout: checked.wechat.timeout,
      allowLoopback,
    },
    tokens: { ...checked.tokens, audience: checked.tokens.audience ?? checked.publicUrl },
    profileFreshness: checked.profileFreshness,
    loginLifetime: checked.loginLifetime,
    databaseTimeout: checked.databaseTimeout,
    rateLimits: checked.rateLimits,
    scenePrefix: checked.scenePrefix,
    siteName: checked.siteName ?? new URL(checked.publicUrl).host,
    hooks: checked.hooks,
    background: checked.background,
    hostMiddleware: checked.hostMiddleware,
    admin: {
      token: checked.admin.token,
      guard: checked.admin.guard,
      crossDeviceSessions: checked.admin.crossDeviceSessions,
    },
    audit: { retentionDays: checked.audit.retentionDays, sink: checked.audit.sink },
    sessionCheck: checked.sessionCheck,
    recentSignIn: checked.recentSignIn,
    profile: checked.profile,
    deletionGraceDays: checked.deletionGraceDays,
  });
}

const staticsSchema = z.object({
  path: pathSchema.optional(),
  globalGuard: z.boolean({ error: 'true or false' }).optional(),
  dataSource: z
    .union([z.string().min(1), z.literal(false)], { error: 'the name of a TypeORM connection, or false' })
    .optional(),
});

/** @throws TypeError that names the option and what was expected */
export function checkStatics(statics: IamStaticOptions): void {
  parse(staticsSchema, statics);
}

/** Whether TypeORM's module is imported must be known before an async factory has run. */
function checkDatabase(hasOwn: boolean, dataSource: IamStaticOptions['dataSource']): void {
  if (hasOwn && dataSource !== false)
    throw new TypeError(
      'IamModule option `database`: expected `dataSource: false` beside it (beside the factory of forRootAsync): the module makes its own connections',
    );
  if (!hasOwn && dataSource === false)
    throw new TypeError('IamModule option `database`: expected { url } where `dataSource` is false');
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

function indexClients(clients: readonly ResolvedIamClient[]): ReadonlyMap<string, ResolvedIamClient> {
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

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface IamOptionsFactory {
  createIamOptions(): Promise<IamOptions> | IamOptions;
}

/** Options that come from other providers: exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface IamAsyncOptions extends IamStaticOptions, Pick<DynamicModule, 'imports'> {
  readonly useFactory?: (...injected: never[]) => Promise<IamOptions> | IamOptions;
  readonly inject?: FactoryProvider['inject'];
  readonly useClass?: Type<IamOptionsFactory>;
  readonly useExisting?: Type<IamOptionsFactory>;
}

/** The provider of the resolved options that an async registration describes. */
export function asyncOptions(options: IamAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  const sources = [useFactory, useClass, useExisting].filter((each) => each !== undefined);
  if (sources.length !== 1)
    throw new TypeError(
      'IamModule.forRootAsync: expected exactly one of `useFactory`, `useClass` and `useExisting`',
    );
  if (useFactory !== undefined) {
    const factory = async (...injected: never[]) => resolveOptions(await useFactory(...injected), options);
    return [{ provide: IAM_OPTIONS, useFactory: factory, inject }];
  }
  const source = useClass ?? useExisting;
  if (source === undefined) return [];
  const factory = async (host: IamOptionsFactory) => resolveOptions(await host.createIamOptions(), options);
  const provider: Provider = { provide: IAM_OPTIONS, useFactory: factory, inject: [source] };
  return useClass === undefined ? [provider] : [useClass, provider];
}
