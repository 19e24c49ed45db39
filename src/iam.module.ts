import {
  type DynamicModule,
  type FactoryProvider,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, RouterModule } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { IamUsers } from './account/iam-users.service.js';
import { MeController } from './account/me.controller.js';
import { Cleanup } from './cleanup/cleanup.service.js';
import { Clock } from './clock.js';
import { Confirm } from './follow/confirm.service.js';
import { ConfirmCookies } from './follow/confirm-cookies.service.js';
import { DeviceAuthorizationController } from './follow/device-authorization.controller.js';
import { DeviceAuthorization } from './follow/device-authorization.service.js';
import { FollowCollect } from './follow/follow-collect.service.js';
import { FollowEvents } from './follow/follow-events.service.js';
import { FollowProof } from './follow/follow-proof.service.js';
import { FollowSignIn } from './follow/follow-sign-in.service.js';
import { FollowStart } from './follow/follow-start.service.js';
import { FollowTokens } from './follow/follow-tokens.service.js';
import { FollowController } from './follow/follow.controller.js';
import { Follower } from './follow/follower.service.js';
import { WechatApi } from './gateway/wechat-api.service.js';
import { WechatGateway } from './gateway/wechat-gateway.service.js';
import { HookRunner } from './hooks/hook-runner.js';
import { AnswerWriter } from './http/answer-writer.js';
import { BodyMiddleware } from './http/body.middleware.js';
import { EarlyErrors } from './http/early-errors.service.js';
import { OAuthErrorFilter, ProblemFilter } from './http/error.filter.js';
import { IamGuard } from './http/iam.guard.js';
import { IamUrls } from './http/iam-urls.service.js';
import { iamEntities } from './iam.entities.js';
import type { IamOptions, IamStaticOptions } from './iam.options.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS } from './iam.resolved-options.js';
import { IdentityProviders } from './identity-providers/identity-providers.service.js';
import { FollowLogins } from './logins/follow-logins.service.js';
import { LoginWatch } from './logins/login-watch.service.js';
import { Logins } from './logins/logins.service.js';
import { Redemption } from './logins/redemption.service.js';
import { AttemptCookies } from './oauth/attempt-cookies.service.js';
import { Authorize } from './oauth/authorize.service.js';
import { Callback } from './oauth/callback.service.js';
import { Clients } from './oauth/clients.service.js';
import { Metadata } from './oauth/metadata.service.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { ProviderList } from './oauth/provider-list.service.js';
import { Revocation } from './oauth/revocation.service.js';
import { TokenController } from './oauth/token.controller.js';
import { Token } from './oauth/token.service.js';
import { resolveOptions, resolvePath } from './resolve-options.js';
import { RateLimits } from './rate-limits/rate-limits.service.js';
import { UserRoles } from './roles/user-roles.service.js';
import { AccessTokens } from './sessions/access-tokens.service.js';
import { Sessions } from './sessions/sessions.service.js';
import { SigningKeys } from './sessions/signing-keys.service.js';
import { WechatStrategies } from './strategies/wechat-strategies.service.js';
import { Profiles } from './users/profiles.service.js';
import { USER_MERGE_STEPS } from './users/user-merge-steps.js';
import { Users } from './users/users.service.js';

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

const edges = [
  Clients,
  AttemptCookies,
  Authorize,
  Callback,
  Token,
  Revocation,
  Metadata,
  ProviderList,
  IamUsers,
];
const follow = [
  Confirm,
  ConfirmCookies,
  DeviceAuthorization,
  FollowCollect,
  FollowEvents,
  FollowProof,
  FollowSignIn,
  FollowStart,
  FollowTokens,
  Follower,
];
const shared = [
  AnswerWriter,
  ProblemFilter,
  OAuthErrorFilter,
  EarlyErrors,
  IamUrls,
  IamGuard,
  BodyMiddleware,
  WechatApi,
  WechatGateway,
  WechatStrategies,
];
const state = [
  FollowLogins,
  LoginWatch,
  RateLimits,
  IdentityProviders,
  Logins,
  Redemption,
  Users,
  Profiles,
  Sessions,
  AccessTokens,
  SigningKeys,
  UserRoles,
];
const background = [Clock, HookRunner, Cleanup];

const mergeSteps: Provider = {
  provide: USER_MERGE_STEPS,
  useFactory: (...steps: unknown[]) => steps,
  inject: [UserRoles, Logins, Sessions, HookRunner],
};

/** Identity and access management with WeChat sign-in for the host's application. */
@Module({})
export class IamModule implements NestModule {
  /** @throws TypeError that names the wrong option */
  static forRoot({
    path,
    globalGuard,
    dataSource,
    ...options
  }: IamOptions & IamStaticOptions): DynamicModule {
    const statics = pickStatics({ path, globalGuard, dataSource });
    return compose(statics, [], [{ provide: IAM_OPTIONS, useValue: resolveOptions(options, statics) }]);
  }

  /** As `forRoot`, with options that other providers know. */
  static forRootAsync(options: IamAsyncOptions): DynamicModule {
    return compose(options, options.imports ?? [], asyncOptions(options));
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(BodyMiddleware)
      .forRoutes(TokenController, DeviceAuthorizationController, FollowController);
  }
}

function compose(
  statics: IamStaticOptions,
  imports: DynamicModule['imports'],
  options: Provider[],
): DynamicModule {
  const { dataSource, globalGuard } = statics;
  return {
    module: IamModule,
    global: true,
    imports: [
      ...(imports ?? []),
      TypeOrmModule.forFeature(iamEntities, dataSource),
      RouterModule.register([{ path: resolvePath(statics.path), module: IamModule }]),
    ],
    controllers: [
      OAuthController,
      TokenController,
      DeviceAuthorizationController,
      FollowController,
      MeController,
    ],
    providers: [
      ...options,
      { provide: IAM_DATA_SOURCE, useExisting: getDataSourceToken(dataSource) },
      mergeSteps,
      ...(globalGuard === true ? [{ provide: APP_GUARD, useExisting: IamGuard }] : []),
      ...edges,
      ...follow,
      ...shared,
      ...state,
      ...background,
    ],
    exports: [IamGuard, AccessTokens, IamUsers, IdentityProviders, WechatApi],
  };
}

function asyncOptions(options: IamAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  if (useFactory !== undefined) {
    const factory = async (...injected: never[]) => resolveOptions(await useFactory(...injected), options);
    return [{ provide: IAM_OPTIONS, useFactory: factory, inject }];
  }
  const source = useClass ?? useExisting;
  if (source === undefined)
    throw new TypeError('IamModule.forRootAsync: expected `useFactory`, `useClass` or `useExisting`');
  const factory = async (host: IamOptionsFactory) => resolveOptions(await host.createIamOptions(), options);
  const provider: Provider = { provide: IAM_OPTIONS, useFactory: factory, inject: [source] };
  return useClass === undefined ? [provider] : [useClass, provider];
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
