import { randomBytes } from 'node:crypto';
import {
  ConsoleLogger,
  type DynamicModule,
  type INestApplication,
  Logger,
  type LoggerService,
  Module,
  type NestApplicationOptions,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { type OpenPlatformAccount, strictRules, WechatEmulator } from '../../emulator/index.js';
import { Clock } from '../../src/runtime/clock.js';
import {
  iamMigrations,
  IamModule,
  IdentityProviders,
  type IamDatabaseOptions,
  type IamOptions,
  type IamStaticOptions,
  type IdentityProviderInput,
} from '../../src/index.js';
import { IAM_DATA_SOURCE } from '../../src/config/iam.resolved-options.js';
import { createDatabase, type TestDatabase } from './database.js';
import { DescribedResponses } from './described-answers.js';
import { freePort } from '../../example/postgres/free-port.js';
import { LogCapture } from './log-capture.js';
import { migrated, ownMigrated } from './templates.js';

/** The redirect URI of the client `web` in tests: on the host itself, which answers 404 there. */
export const redirectUri = (base: string): string => `${base}/signed-in`;

/** A sealing key that every replica of a test shares. */
export const testKey = (): string => randomBytes(32).toString('base64');

/** What a test changes of the ordinary host. */
export interface IamAppOptions extends IamStaticOptions {
  readonly databaseUrl: string;
  readonly endpoints: { api: string; open: string; mp: string };
  readonly key?: string;
  /** Changes of the module's options; `clients` are added to the client `web`. */
  readonly options?: Partial<IamOptions>;
  readonly imports?: (DynamicModule | Type)[];
  /** The module makes its own connections, and the host has no TypeORM. */
  readonly ownDatabase?: Partial<IamDatabaseOptions>;
  /** Changes of the host's TypeORM connection. */
  readonly typeOrm?: object;
  /** Takes the place of the module's clock, so that a test decides what time it is. */
  readonly clock?: Clock;
  /** Where the application's log goes; nowhere unless IAM_TEST_LOG is set. */
  readonly logger?: LoggerService;
  /** A guard of the host refuses requests, which no description of the module can know. */
  readonly isRefusing?: boolean;
  /** The host trusts its own proxy on this machine, on Express. */
  readonly isBehindProxy?: boolean;
  /** Prepares the application before it listens, e.g. a global prefix. */
  readonly prepare?: (app: INestApplication) => void;
  readonly create?: (module: DynamicModule) => Promise<INestApplication>;
}

/** A running host application with the module in it. */
export interface IamApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

@Module({})
class HostModule {}

function trustProxy(app: INestApplication): void {
  const adapter = app.getHttpAdapter();
  if (adapter instanceof ExpressAdapter) adapter.set('trust proxy', 'loopback');
}

function typeOrmModule(url: string, changes: object = {}): DynamicModule {
  const options: TypeOrmModuleOptions = {
    type: 'postgres',
    url,
    autoLoadEntities: true,
    migrations: [...iamMigrations],
    migrationsRun: true,
    retryAttempts: 3,
    retryDelay: 200,
  };
  return TypeOrmModule.forRoot(Object.assign(options, changes));
}

/** Starts a host on a free port of 127.0.0.1. */
export async function startIamApp({
  databaseUrl,
  endpoints,
  key,
  options,
  ownDatabase,
  typeOrm,
  ...rest
}: IamAppOptions): Promise<IamApp> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const { clients = [], wechat, ...more } = options ?? {};
  const { path, globalGuard, imports = [], create = createOnExpress(rest) } = rest;
  const app = await create({
    module: HostModule,
    imports: [
      ...(ownDatabase === undefined ? [typeOrmModule(databaseUrl, typeOrm)] : []),
      IamModule.forRoot({
        publicUrl: url,
        keys: [key ?? testKey()],
        clients: [{ id: 'web', redirectUris: [redirectUri(more.publicUrl ?? url)] }, ...clients],
        wechat: { endpoints, ...wechat },
        ...(ownDatabase !== undefined && {
          database: { url: databaseUrl, migrationsRun: true, ...ownDatabase },
        }),
        ...(path !== undefined && { path }),
        ...(globalGuard !== undefined && { globalGuard }),
        ...more,
      }),
      ...imports,
    ],
  });
  try {
    rest.prepare?.(app);
    if (rest.isBehindProxy === true) trustProxy(app);
    await app.listen(port, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const routes = { path: rest.path ?? 'iam', areChanged: rest.prepare !== undefined };
  const answers = rest.isRefusing === true ? undefined : new DescribedResponses(app, routes);
  const close = async () => {
    await app.close();
    if (answers !== undefined && answers.violations.length > 0)
      throw new Error(`not as OpenAPI says:\n${[...new Set(answers.violations)].join('\n')}`);
  };
  return { app, url, dataSource: app.get<DataSource>(IAM_DATA_SOURCE), close };
}

const quiet = process.env['IAM_TEST_LOG'] === undefined;

type CheckEnvironment = Pick<IamAppOptions, 'clock' | 'logger'>;

const createOnExpress =
  ({ clock, logger }: CheckEnvironment) =>
  async (module: DynamicModule): Promise<INestApplication> => {
    const log = logger ?? (quiet ? false : undefined);
    const options: Pick<NestApplicationOptions, 'abortOnError' | 'logger'> = {
      abortOnError: false,
      ...(log !== undefined && { logger: log }),
    };
    if (clock === undefined) return NestFactory.create(module, options);
    const testing = await Test.createTestingModule({ imports: [module] })
      .setLogger(logger ?? (quiet ? new LogCapture() : new ConsoleLogger()))
      .overrideProvider(Clock)
      .useValue(clock)
      .compile();
    return testing.createNestApplication(options);
  };

/** Emulator, database and application with one provider row `wechat` whose two apps share an Open Platform account. */
export interface World extends IamApp {
  readonly wechat: WechatEmulator;
  readonly database: TestDatabase;
  readonly account: OpenPlatformAccount;
  readonly site: ReturnType<ReturnType<WechatEmulator['openPlatformAccount']>['websiteApp']>;
  readonly oa: ReturnType<ReturnType<WechatEmulator['openPlatformAccount']>['officialAccount']>;
  readonly key: string;
  saveProvider(row: Partial<IdentityProviderInput>): Promise<void>;
}

/** Starts a `World`; `close` ends everything. */
export async function startWorld(
  settings: Partial<IamAppOptions> & { provider?: Partial<IdentityProviderInput> } = {},
): Promise<World> {
  if (quiet && settings.logger === undefined) Logger.overrideLogger(false);
  const database = await createDatabase(settings.ownDatabase === undefined ? migrated : ownMigrated);
  const wechat = await WechatEmulator.start({ rules: strictRules });
  const end = async () => {
    await wechat.stop();
    await database.drop();
  };
  const key = settings.key ?? testKey();
  const account = wechat.openPlatformAccount();
  const site = account.websiteApp({ callbackDomain: 'localhost' });
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  const host = { ...settings, databaseUrl: database.url, endpoints: wechat.endpoints, key };
  const iam = await startIamApp(host).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  const close = () => iam.close().finally(end);
  const saveProvider = (row: Partial<IdentityProviderInput>) =>
    iam.app.get(IdentityProviders).save({ slug: 'wechat', ...row });
  const provider = {
    name: '微信',
    open_app_id: site.appid,
    open_app_secret: site.secret,
    mp_app_id: oa.appid,
    mp_app_secret: oa.secret,
    ...settings.provider,
  };
  await saveProvider(provider).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { ...iam, wechat, database, account, site, oa, key, saveProvider, close };
}

/** Another process of the same host, as far as one process can be: own pool, own memory, same database, key and public URL. */
export function startReplica(world: World, settings: Partial<IamAppOptions> = {}): Promise<IamApp> {
  const { url, database, wechat, key } = world;
  return startIamApp({
    databaseUrl: database.url,
    endpoints: wechat.endpoints,
    key,
    ...settings,
    options: { publicUrl: url, ...settings.options },
  });
}
