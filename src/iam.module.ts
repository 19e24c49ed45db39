import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD, DiscoveryModule, RouterModule } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { IamUsers } from './account/iam-users.service.js';
import { boundDataSource } from './database/bounded-data-source.js';
import { WechatApi } from './identity-providers/wechat-api.service.js';
import { Authentication } from './sessions/authentication.service.js';
import { IamErrorFilter } from './http/iam-error.filter.js';
import { IamGuard } from './sessions/iam.guard.js';
import { Requirements } from './sessions/access-policy.service.js';
import { IamHealth } from './health/iam-health.service.js';
import { iamEntities } from './iam.entities.js';
import type { IamOptions, IamStaticOptions } from './config/iam.options.js';
import {
  IAM_DATA_SOURCE,
  IAM_OPTIONS,
  type ResolvedIamOptions,
  checkStatics,
  resolveOptions,
  resolvePath,
  asyncOptions,
  type IamAsyncOptions,
} from './config/iam.resolved-options.js';
import { IdentityProviders } from './identity-providers/identity-providers.service.js';
import { AccessTokens } from './sessions/access-tokens.service.js';
import { checkHostDataSource } from './database/host-data-source.js';
import { openOwnDataSource } from './database/own-data-source.js';
import { iamControllers } from './composition/controllers.js';
import { iamProviders } from './iam.providers.js';

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
    const own = options.database === undefined ? undefined : (false as const);
    const statics = pickStatics({ path, globalGuard, dataSource: dataSource ?? own });
    return compose(statics, [], [{ provide: IAM_OPTIONS, useValue: resolveOptions(options, statics) }]);
  }

  /** Nest calls the module itself after its services, which may still use the connections. */
  async onApplicationShutdown(): Promise<void> {
    if (this.options.database !== undefined) await this.dataSource.destroy();
  }

  /** As `forRoot`, with options that other providers know. */
  static forRootAsync(options: IamAsyncOptions): DynamicModule {
    return compose(options, options.imports ?? [], asyncOptions(options));
  }
}

const ownDataSource: Provider = {
  provide: IAM_DATA_SOURCE,
  useFactory: async ({ database, databaseTimeout }: ResolvedIamOptions) => {
    if (database === undefined) throw new TypeError('IamModule option `database`: expected { url }');
    return boundDataSource(await openOwnDataSource(database, iamEntities), databaseTimeout);
  },
  inject: [IAM_OPTIONS],
};

const hostDataSource = (name: string | undefined): Provider => ({
  provide: IAM_DATA_SOURCE,
  useFactory: async (host: DataSource, { databaseTimeout }: ResolvedIamOptions) =>
    boundDataSource(await checkHostDataSource(host, iamEntities), databaseTimeout),
  inject: [getDataSourceToken(name), IAM_OPTIONS],
});

function compose(
  statics: IamStaticOptions,
  imports: DynamicModule['imports'],
  options: Provider[],
): DynamicModule {
  checkStatics(statics);
  const { dataSource, globalGuard } = statics;
  return {
    module: IamModule,
    global: true,
    imports: [
      ...(imports ?? []),
      DiscoveryModule,
      ...(dataSource === false ? [] : [TypeOrmModule.forFeature(iamEntities, dataSource)]),
      RouterModule.register([{ path: resolvePath(statics.path), module: IamModule }]),
    ],
    controllers: iamControllers,
    providers: [
      ...options,
      dataSource === false ? ownDataSource : hostDataSource(dataSource),
      ...(globalGuard === true ? [{ provide: APP_GUARD, useExisting: IamGuard }] : []),
      ...iamProviders,
    ],
    exports: [
      IamGuard,
      Authentication,
      Requirements,
      AccessTokens,
      IamErrorFilter,
      IamUsers,
      IdentityProviders,
      WechatApi,
      IamHealth,
    ],
  };
}

function pickStatics(statics: {
  [K in keyof IamStaticOptions]: IamStaticOptions[K] | undefined;
}): IamStaticOptions {
  const { path, globalGuard, dataSource } = statics;
  return {
    ...(path !== undefined && { path }),
    ...(globalGuard !== undefined && { globalGuard }),
    ...(dataSource !== undefined && { dataSource }),
  };
}
