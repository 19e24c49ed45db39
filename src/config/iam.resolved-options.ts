import type { CanActivate, Type } from '@nestjs/common';
import type { Secret } from '../crypto/secret.js';
import type { KeyRing } from '../crypto/key-ring.js';
import type { IamAuditSink, IamHooks } from './iam.hooks.js';
import type { IamClient, IamDatabaseOptions, IamRateLimits } from './iam.options.js';
import type { WechatEndpoints } from './endpoints.js';

/** A client with every default filled in. */
export type ResolvedIamClient = Readonly<Required<IamClient>>;

/** `IamDatabaseOptions` with every default filled in. */
export interface ResolvedIamDatabase {
  readonly url: string;
  readonly poolSize: number;
  readonly ssl?: IamDatabaseOptions['ssl'] | undefined;
  readonly migrationsRun: boolean;
}

/** `IamOptions` with every default filled in, checked once at start-up; what the code reads. Times are in seconds. */
export interface ResolvedIamOptions {
  readonly publicUrl: string;
  readonly isHttps: boolean;
  readonly path: string;
  readonly keyRing: KeyRing;
  /** Undefined: the host's TypeORM connection. */
  readonly database: ResolvedIamDatabase | undefined;
  readonly clients: ReadonlyMap<string, ResolvedIamClient>;
  /** `timeout` is in milliseconds. */
  readonly wechat: {
    readonly endpoints: WechatEndpoints;
    readonly timeout: number;
    readonly allowLoopback: boolean;
    readonly allowPrivateEndpoints: boolean;
    /** Its URL may hold a password. */
    readonly proxy: Secret | undefined;
  };
  readonly tokens: {
    readonly accessToken: number;
    readonly idle: number;
    readonly absolute: number;
    readonly refreshGrace: number;
    readonly audience: string;
  };
  readonly profileFreshness: number;
  readonly loginLifetime: number;
  /** In milliseconds. */
  readonly databaseTimeout: number;
  readonly rateLimits: 'off' | Readonly<Required<IamRateLimits>>;
  readonly scenePrefix: string;
  readonly siteName: string;
  readonly hooks: Type<IamHooks> | undefined;
  readonly background: boolean;
  readonly hostMiddleware: 'skip' | 'run';
  readonly admin: {
    readonly token: string | undefined;
    readonly guard: Type<CanActivate> | undefined;
    readonly crossDeviceSessions: 'allow' | 'refuse';
  };
  readonly audit: { readonly retentionDays: number; readonly sink: Type<IamAuditSink> | undefined };
  readonly sessionCheck: 'never' | 'always';
  readonly recentSignIn: number;
  readonly profile: 'host_wins' | 'wechat_wins';
  readonly deletionGraceDays: number;
}

/** Injection token of `ResolvedIamOptions`. */
export const IAM_OPTIONS = Symbol('IAM_OPTIONS');

/** Injection token of the host's TypeORM DataSource that holds the `iam` schema. */
export const IAM_DATA_SOURCE = Symbol('IAM_DATA_SOURCE');
