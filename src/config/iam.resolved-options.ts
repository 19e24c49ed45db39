import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import { z } from 'zod';
import { KeyRing } from '../crypto/key-ring.js';
import { Secret } from '../crypto/secret.js';
import type { IamDatabaseOptions, IamOptions, IamStaticOptions } from './iam.options.js';
import { isLocalHost, resolveWechatEndpoints } from './endpoints.js';
import { optionsSchema } from './options-schema.js';

type CheckedOptions = z.output<typeof optionsSchema>;

/** A client with every default filled in. */
export type ResolvedIamClient = Readonly<CheckedOptions['clients'][number]>;

/** A resource with every default filled in. */
export type ResolvedIamResource = Readonly<CheckedOptions['resources'][number]>;

/** Connections of the module's own, with every default filled in. */
export type ResolvedIamDatabase = CheckedOptions['database'] & { readonly url: string };

/** `IamOptions` with every default filled in, checked once at start-up. The code reads these. */
export type ResolvedIamOptions = ReturnType<typeof resolveOptions>;

/** Injection token of `ResolvedIamOptions`. */
export const IAM_OPTIONS = Symbol('IAM_OPTIONS');

/** Injection token of the host's TypeORM DataSource that holds the `iam` schema. */
export const IAM_DATA_SOURCE = Symbol('IAM_DATA_SOURCE');

const staticsSchema = z.object({
  path: z
    .string({ error: 'a path such as iam' })
    .transform((path) => path.replace(/^\/+|\/+$/g, ''))
    .refine((path) => /^[\w-]+(\/[\w-]+)*$/.test(path), {
      error: 'a path of letters, digits, - and _, such as iam or auth/iam',
    })
    .default('iam'),
  globalGuard: z.boolean({ error: 'true or false' }).default(false),
  dataSource: z
    .union([z.string().min(1), z.literal(false)], { error: 'the name of a TypeORM connection, or false' })
    .optional(),
});

/** Fills in and checks what must be known before providers exist. @throws TypeError that names the option and what was expected */
export function resolveStatics(statics: {
  readonly [Name in keyof IamStaticOptions]?: IamStaticOptions[Name] | undefined;
}) {
  return parseOptions(staticsSchema, statics);
}

/** `IamStaticOptions` with every default filled in. */
export type ResolvedStatics = ReturnType<typeof resolveStatics>;

/**
 * Fills in defaults and checks everything once.
 * @throws TypeError that names the option and what was expected
 */
export function resolveOptions(options: IamOptions, { path, dataSource }: ResolvedStatics) {
  const { keys, ...checked } = parseOptions(optionsSchema, options);
  const { publicUrl, clients, resources, wechat, tokens, siteName, database } = checked;
  const { endpoints, allowPrivateEndpoints, proxy } = wechat;
  const { host, hostname } = new URL(publicUrl);
  const allowLoopback = wechat.allowLoopback ?? isLocalHost(hostname);
  checkDatabase(options.database ?? {}, dataSource);
  return Object.freeze({
    ...checked,
    /** Undefined where the host's TypeORM connection is used. */
    database: hasUrl(database) ? Object.freeze(database) : undefined,
    preparedStatements: database.preparedStatements,
    isHttps: publicUrl.startsWith('https:'),
    path,
    keyRing: new KeyRing(keys),
    clients: indexClients(clients),
    resources: indexResources(resources),
    wechat: Object.freeze({
      ...wechat,
      endpoints: resolveWechatEndpoints(endpoints, { allowLoopback, allowPrivateEndpoints }),
      allowLoopback,
      /** Its URL may hold a password. */
      proxy: proxy === undefined ? undefined : new Secret(proxy),
    }),
    tokens: Object.freeze({ ...tokens, audience: tokens.audience ?? publicUrl }),
    siteName: siteName ?? host,
  });
}

/** Whether TypeORM's module is imported must be known before an async factory has run. */
function checkDatabase(database: IamDatabaseOptions, dataSource: ResolvedStatics['dataSource']): void {
  if (hasUrl(database) && dataSource !== false)
    throw new TypeError(
      'IamModule option `database`: expected `dataSource: false` beside it (beside the factory of forRootAsync): the module makes its own connections',
    );
  if (!hasUrl(database) && dataSource === false)
    throw new TypeError('IamModule option `database`: expected { url } where `dataSource` is false');
  const setting = Object.keys(database).find((name) => name !== 'preparedStatements');
  if (!hasUrl(database) && setting !== undefined)
    throw new TypeError(
      `IamModule option \`database.${setting}\`: expected \`database.url\` beside it: it is for connections of the module's own`,
    );
}

function hasUrl<T extends { readonly url?: string }>(database: T): database is T & { readonly url: string } {
  return database.url !== undefined;
}

/** @throws TypeError that names the option of `module` and what was expected */
export function parseOptions<T>(schema: z.ZodType<T>, input: unknown, module = 'IamModule'): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const option = issue?.path.reduce<string>(appendPath, '') ?? '';
  const unknown = issue?.code === 'unrecognized_keys' ? `unknown option ${issue.keys.join(', ')}` : undefined;
  throw new TypeError(
    `${module} option ${option === '' ? '(root)' : `\`${option}\``}: ${unknown ?? `expected ${expectation(issue?.message)}`}`,
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

/** By `identifier` in the spelling of the URL parser: libraries write the slash of an address without path, or leave it out. */
function indexResources(resources: readonly ResolvedIamResource[]): ReadonlyMap<string, ResolvedIamResource> {
  const byAddress = new Map(resources.map((each) => [new URL(each.identifier).href, each]));
  if (byAddress.size !== resources.length)
    throw new TypeError('IamModule option `resources`: expected every `identifier` once');
  return byAddress;
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
export function asyncOptions(
  { useFactory, useClass, useExisting, inject = [] }: IamAsyncOptions,
  statics: ResolvedStatics,
): Provider[] {
  if ([useFactory, useClass, useExisting].filter((each) => each !== undefined).length !== 1)
    throw new TypeError(
      'IamModule.forRootAsync: expected exactly one of `useFactory`, `useClass` and `useExisting`',
    );
  const maker = useClass ?? useExisting;
  const make = useFactory ?? ((host: IamOptionsFactory) => host.createIamOptions());
  const provider: Provider = {
    provide: IAM_OPTIONS,
    useFactory: async (...injected: never[]) => resolveOptions(await make(...injected), statics),
    inject: maker === undefined ? inject : [maker],
  };
  return useClass === undefined ? [provider] : [useClass, provider];
}
