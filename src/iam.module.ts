import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD, RouterModule } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { boundDataSource } from './database/bounded-data-source.js';
import { IamGuard } from './sessions/iam.guard.js';
import { RuntimeModule } from './runtime/runtime.module.js';
import { DatabaseModule } from './database/database.module.js';
import { WechatModule } from './wechat/wechat.module.js';
import { HttpModule, MountedModule } from './http/http.module.js';
import { UsersModule } from './users/users.module.js';
import { RolesModule } from './roles/roles.module.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { IdentityProvidersModule } from './identity-providers/identity-providers.module.js';
import { KeysModule } from './keys/keys.module.js';
import { SignInModule } from './sign-in/sign-in.module.js';
import { WebhookModule } from './webhook/webhook.module.js';
import { OAuthModule } from './oauth/oauth.module.js';
import { QrLoginModule } from './qr-login/qr-login.module.js';
import { PrivacyModule } from './privacy/privacy.module.js';
import { AccountModule } from './account/account.module.js';
import { AdminModule } from './admin/admin.module.js';
import { HealthModule } from './health/health.module.js';
import { IamBackgroundModule } from './iam.background.module.js';
import { HostProviders } from './config/iam.hooks.js';
import { iamEntities } from './iam.entities.js';
import type { IamOptions, IamStaticOptions } from './config/iam.options.js';
import {
  IAM_DATA_SOURCE,
  IAM_OPTIONS,
  type ResolvedIamOptions,
  resolveOptions,
  resolveStatics,
  type ResolvedStatics,
  asyncOptions,
  type IamAsyncOptions,
} from './config/iam.resolved-options.js';
import { checkHostDataSource } from './database/host-data-source.js';
import { PreparedStatements } from './database/prepared-statements.js';
import { openOwnDataSource } from './database/own-data-source.js';

/**
 * What the module is made of, from the bottom up: each uses what those before it export. All are `@Global()`, for Nest then runs
 * their hooks before those of the host's modules at start-up, and after them at shutdown, however deep those are nested.
 */
const features = [
  RuntimeModule,
  DatabaseModule,
  WechatModule,
  HttpModule,
  UsersModule,
  RolesModule,
  SessionsModule,
  IdentityProvidersModule,
  KeysModule,
  SignInModule,
  WebhookModule,
  OAuthModule,
  QrLoginModule,
  PrivacyModule,
  AccountModule,
  HealthModule,
  AdminModule,
];

/** Identity and access management with WeChat sign-in for the host's application. */
@Module({})
export class IamModule implements OnApplicationShutdown {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** @throws TypeError that names the wrong option */
  static forRoot({
    path,
    globalGuard,
    dataSource,
    ...options
  }: IamOptions & IamStaticOptions): DynamicModule {
    const own = options.database?.url === undefined ? undefined : (false as const);
    const statics = resolveStatics({ path, globalGuard, dataSource: dataSource ?? own });
    return compose(statics, [], [{ provide: IAM_OPTIONS, useValue: resolveOptions(options, statics) }]);
  }

  /** Nest calls the module itself after its services, which may still use the connections. */
  async onApplicationShutdown(): Promise<void> {
    if (this.options.database !== undefined) await this.dataSource.destroy();
  }

  /** As `forRoot`, with options that other providers know. */
  static forRootAsync(options: IamAsyncOptions): DynamicModule {
    const statics = resolveStatics(options);
    return compose(statics, options.imports ?? [], asyncOptions(options, statics));
  }
}

const ownDataSource: Provider = {
  provide: IAM_DATA_SOURCE,
  useFactory: async ({ database, databaseTimeout }: ResolvedIamOptions, prepared: PreparedStatements) => {
    if (database === undefined) throw new TypeError('IamModule option `database`: expected { url }');
    return boundDataSource(await openOwnDataSource(database, iamEntities), databaseTimeout, prepared);
  },
  inject: [IAM_OPTIONS, PreparedStatements],
};

const hostDataSource = (name: string | undefined): Provider => ({
  provide: IAM_DATA_SOURCE,
  useFactory: async (
    host: DataSource,
    { databaseTimeout }: ResolvedIamOptions,
    prepared: PreparedStatements,
  ) => boundDataSource(await checkHostDataSource(host, iamEntities), databaseTimeout, prepared),
  inject: [getDataSourceToken(name), IAM_OPTIONS, PreparedStatements],
});

function compose(
  { path, dataSource, globalGuard }: ResolvedStatics,
  imports: DynamicModule['imports'],
  options: Provider[],
): DynamicModule {
  return {
    module: IamModule,
    global: true,
    imports: [
      ...(imports ?? []),
      ...(dataSource === false ? [] : [TypeOrmModule.forFeature(iamEntities, dataSource)]),
      RouterModule.register([...features, MountedModule].map((module) => ({ path, module }))),
      ...features,
      IamBackgroundModule,
    ],
    providers: [
      ...options,
      dataSource === false ? ownDataSource : hostDataSource(dataSource),
      ...(globalGuard ? [{ provide: APP_GUARD, useExisting: IamGuard }] : []),
      HostProviders,
    ],
    exports: [IAM_OPTIONS, IAM_DATA_SOURCE, HostProviders, ...features],
  };
}
