import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import { z } from 'zod';
import { KeyRing } from '../crypto/key-ring.js';
import { Secret } from '../crypto/secret.js';
import type { IamOptions, IamStaticOptions } from './iam.options.js';
import { isLocalHost, resolveWechatEndpoints, type WechatEndpoints } from './endpoints.js';
import { optionsSchema } from './options-schema.js';

type CheckedOptions = z.output<typeof optionsSchema>;

/** A client with every default filled in. */
export type ResolvedIamClient = Readonly<CheckedOptions['clients'][number]>;

/** `IamDatabaseOptions` with every default filled in. */
export type ResolvedIamDatabase = Readonly<NonNullable<CheckedOptions['database']>>;

/** `IamOptions` with every default filled in, checked once at start-up. The code reads these. */
export interface ResolvedIamOptions extends Readonly<
  Omit<CheckedOptions, 'keys' | 'clients' | 'wechat' | 'tokens' | 'siteName'>
> {
  readonly isHttps: boolean;
  readonly path: string;
  readonly keyRing: KeyRing;
  readonly clients: ReadonlyMap<string, ResolvedIamClient>;
  readonly wechat: Readonly<
    Omit<CheckedOptions['wechat'], 'endpoints' | 'allowLoopback' | 'proxy'> & {
      endpoints: WechatEndpoints;
      allowLoopback: boolean;
      /** Its URL may hold a password. */
      proxy: Secret | undefined;
    }
  >;
  readonly tokens: Readonly<CheckedOptions['tokens'] & { audience: string }>;
  readonly siteName: string;
}

/** Injection token of `ResolvedIamOptions`. */
export const IAM_OPTIONS = Symbol('IAM_OPTIONS');

/** Injection token of the host's TypeORM DataSource that holds the `iam` schema. */
export const IAM_DATA_SOURCE = Symbol('IAM_DATA_SOURCE');

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
  const { keys, ...checked } = parse(optionsSchema, options);
  const { publicUrl, clients, wechat, tokens, siteName } = checked;
  const { endpoints, allowPrivateEndpoints, proxy } = wechat;
  const { host, hostname } = new URL(publicUrl);
  const allowLoopback = wechat.allowLoopback ?? isLocalHost(hostname);
  checkDatabase(checked.database !== undefined, statics.dataSource);
  return Object.freeze({
    ...checked,
    isHttps: publicUrl.startsWith('https:'),
    path: resolvePath(statics.path),
    keyRing: new KeyRing(keys),
    clients: indexClients(clients),
    wechat: {
      ...wechat,
      endpoints: resolveWechatEndpoints(endpoints, { allowLoopback, allowPrivateEndpoints }),
      allowLoopback,
      proxy: proxy === undefined ? undefined : new Secret(proxy),
    },
    tokens: { ...tokens, audience: tokens.audience ?? publicUrl },
    siteName: siteName ?? host,
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

/** Zod's own messages begin with the wrong value; ours are the expectation alone. */
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
