import type { ConnectionOptions as TlsConnectionOptions, SecureContextOptions } from 'node:tls';
import type { CanActivate, Type } from '@nestjs/common';
import type { IamAuditSink, IamHooks } from './iam.hooks.js';

/** A front-end (OAuth public client) that may sign people in. */
export interface IamClient {
  /** `client_id` on every OAuth endpoint. */
  readonly id: string;
  /**
   * What people read of where they sign in, on our pages and on the phone of a scan, beside `siteName`.
   * @default none
   */
  readonly name?: string;
  /**
   * Where a sign-in may return; compared character by character (RFC 9700 §2.1). Empty for mini programs and mobile apps, which no
   * browser signs in to.
   */
  readonly redirectUris: readonly string[];
  /**
   * `bearer`: the token response carries the tokens. `cookie`: they live in HttpOnly cookies, which scripts cannot read.
   * @default bearer
   */
  readonly tokens?: 'bearer' | 'cookie';
  /**
   * Origins other than that of `publicUrl` whose scripts may call the endpoints (CORS), compared exactly.
   * @default none
   */
  readonly origins?: readonly string[];
}

/** An API that takes access tokens from here and is addressed by itself (RFC 8707). */
export interface IamResource {
  /**
   * Its address, which clients name as `resource` and its access tokens have as `aud`, e.g. `https://app.example.com/mcp`. One
   * on the host of `publicUrl` is of this application: its metadata (RFC 9728) is served.
   */
  readonly identifier: string;
  /**
   * What people read of it in its metadata.
   * @default none
   */
  readonly name?: string;
  /**
   * The scopes that its metadata tells clients to ask for.
   * @default none
   */
  readonly scopes?: readonly string[];
  /**
   * The `client_id` of the application that is this resource: it may introspect its tokens.
   * @default none
   */
  readonly client?: string;
}

/** Access to the admin API for others than users whose roles permit it. */
export interface IamAdminOptions {
  /**
   * A bearer token of at least 32 characters that may do everything in the admin API, for the first set-up and for scripts.
   * @default none
   */
  readonly token?: string | undefined;
  /**
   * A guard of the host; a request that it admits may do everything in the admin API.
   * @default none
   */
  readonly guard?: Type<CanActivate>;
  /**
   * `refuse` shuts sessions out that began by scanning a QR code with another device. They also link no identity to an account
   * with a permission of the admin API, nor to one that had it within the last 24 hours.
   * @default allow
   */
  readonly crossDeviceSessions?: 'allow' | 'refuse';
}

/** The audit log. */
export interface IamAuditOptions {
  /**
   * Entries older than this many days are removed (30 at the least), a month at a time; below 180 a week at a time.
   * @default 400
   */
  readonly retentionDays?: number;
  /**
   * A host class that is given every entry once it is committed.
   * @default none
   */
  readonly sink?: Type<IamAuditSink>;
}

/** Where WeChat is, and how long a call to it may take. */
export interface IamWechatOptions {
  /**
   * The three hosts of WeChat, e.g. a regional host or the emulator's `endpoints`.
   * @default https://api.weixin.qq.com, https://open.weixin.qq.com, https://mp.weixin.qq.com
   */
  readonly endpoints?: { readonly api?: string; readonly open?: string; readonly mp?: string };
  /**
   * Total time of one call, retries included, in milliseconds (at most 60000).
   * @default 5000
   */
  readonly timeout?: number;
  /**
   * Admits plain-http and loopback endpoints, which only an emulator needs.
   * @default true when `publicUrl` is itself on a loopback host, else false
   */
  readonly allowLoopback?: boolean;
  /**
   * Admits hosts of a private network, also over http: a relay of yours, or an emulator in another container. Warns at each start.
   * @default false
   */
  readonly allowPrivateEndpoints?: boolean;
  /**
   * An HTTP proxy for calls to WeChat, e.g. `http://user:password@proxy.internal:3128`; `environment` goes by HTTPS_PROXY,
   * HTTP_PROXY and NO_PROXY.
   * @default none
   */
  readonly proxy?: string;
}

/**
 * How many QR codes may be requested, and how many attempts may fail. An IPv6 /64 counts as one address; a /56 has twice
 * as much, a /48 or an IPv4 /24 four times.
 */
export interface IamRateLimits {
  /**
   * QR codes of one client address in one minute.
   * @default 60
   */
  readonly qrPerAddressAndMinute?: number;
  /**
   * QR codes of one client address: so many at once, refilled evenly over a day, so that a few of them cannot use up an
   * account's codes.
   * @default 2000
   */
  readonly qrPerAddressAndDay?: number;
  /**
   * QR codes of one Official Account: so many at once, refilled evenly over a day. In one day it can be twice as many, of
   * which WeChat makes 100,000. The last quarter is for networks that had no more than 20 codes lately.
   * @default 48000
   */
  readonly qrPerAccountAndDay?: number;
  /**
   * Sign-ins, links and other uses of a code or token that failed, of one client address at one app in one minute. What
   * succeeds does not count. Each process also lets one browser past WeChat (single sign-on) so often in a minute.
   * @default 120
   */
  readonly failuresPerAddressAndMinute?: number;
  /**
   * As before: so many at once, refilled evenly over a day.
   * @default 2000
   */
  readonly failuresPerAddressAndDay?: number;
}

/** Lifetimes of what a sign-in issues, in seconds. */
export interface IamTokenOptions {
  /**
   * Life of an access token (at most 3600); also the longest time a revoked one keeps working.
   * @default 900
   */
  readonly accessToken?: number;
  /**
   * A session not refreshed for this long ends.
   * @default 2592000 (30 days)
   */
  readonly idle?: number;
  /**
   * A session ends this long after sign-in, however active.
   * @default 7776000 (90 days)
   */
  readonly absolute?: number;
  /**
   * Seconds in which the parent of the current refresh token gets the same successor again, and a code the session that it
   * began: lost responses, reloads, two tabs (at most 60).
   * @default 10
   */
  readonly refreshGrace?: number;
  /**
   * `aud` of access tokens.
   * @default publicUrl
   */
  readonly audience?: string;
}

/** Phone numbers that WeChat has verified. */
export interface IamPhoneOptions {
  /**
   * A number that one user has is refused to every other (`phone_number_taken`). A number stored before this was true stays with all
   * who have it.
   * @default false
   */
  readonly unique?: boolean;
}

/** How many live sessions a user may have at the same time. */
export interface IamSessionLimit {
  /**
   * At all clients together.
   * @default no limit
   */
  readonly perUser?: number;
  /**
   * At each client.
   * @default no limit
   */
  readonly perClient?: number;
  /**
   * What happens to one sign-in too many. `end_oldest`: it ends the session that began first, whose next refresh says
   * `session_replaced`. `refuse`: it is refused as `session_limit_reached`, until another session has ended.
   */
  readonly then: 'end_oldest' | 'refuse';
}

/** What holds of all sessions. */
export interface IamSessionOptions {
  /**
   * How many live sessions a user may have. It acts at each sign-in: a lower limit ends nothing by itself.
   * @default none
   */
  readonly limit?: IamSessionLimit;
  /** How long a browser stays signed in for applications with `sso`. */
  readonly browser?: IamBrowserSessionOptions;
}

/** Lifetimes of a browser session, by which a person comes to another application with `sso` without WeChat; in seconds. */
export interface IamBrowserSessionOptions {
  /**
   * One that was not used for this long ends.
   * @default 86400 (a day)
   */
  readonly idle?: number;
  /**
   * It ends this long after WeChat has proved the person, however active.
   * @default 604800 (7 days)
   */
  readonly absolute?: number;
}

/** What a database connection may need of `node:tls`. */
export type TlsSettings = SecureContextOptions &
  Pick<TlsConnectionOptions, 'rejectUnauthorized' | 'servername'>;

/** How the module uses PostgreSQL; with `url`, on connections of its own. */
export interface IamDatabaseOptions {
  /**
   * A PostgreSQL for the schema `iam` alone, for a host without TypeORM or with another database, e.g.
   * `postgres://app:…@db.internal:5432/app`.
   * @default none
   */
  readonly url?: string;
  /**
   * Connections at most (2 at the least).
   * @default 10
   */
  readonly poolSize?: number;
  /**
   * TLS: `true`, or what `node:tls` takes, such as `{ ca }`.
   * @default what `url` says (`sslmode`)
   */
  readonly ssl?: boolean | TlsSettings;
  /**
   * Runs pending migrations at the start; else they stop it.
   * @default false
   */
  readonly migrationsRun?: boolean;
  /**
   * Has PostgreSQL parse and plan frequent statements once per connection. Set to false behind a pooler in transaction mode that does not
   * support prepared statements, such as PgBouncer before 1.21 or with `max_prepared_statements = 0`; also without `url`.
   * @default true
   */
  readonly preparedStatements?: boolean;
}

/** What `IamModule.forRoot` takes and an async factory returns. */
export interface IamOptions {
  /** Issuer and base of callback URLs, e.g. `https://app.example.com`, without a path. Never taken from a request (RFC 9700 §4.1). */
  readonly publicUrl: string;
  /** 32-byte keys in base64. The first seals secrets and cookies and signs codes and refresh tokens; every one opens and verifies. */
  readonly keys: readonly (string | undefined)[];
  /** The front-ends that may sign people in; none where all of them are registered in the database. */
  readonly clients: readonly IamClient[];
  /**
   * APIs that get access tokens of their own, for applications that may ask for them.
   * @default none
   */
  readonly resources?: readonly IamResource[];
  /**
   * Connections of the module's own, which your ORM does not see, where it has a `url`. `forRootAsync` needs `dataSource: false` with that.
   * @default those of your TypeORM connection `dataSource`
   */
  readonly database?: IamDatabaseOptions;
  /** Access to the admin API for others than users whose roles permit it. */
  readonly admin?: IamAdminOptions;
  /** The audit log. */
  readonly audit?: IamAuditOptions;
  /**
   * `always`: the guard also asks PostgreSQL whether the session lives and what roles the user has, at most once in 5 seconds
   * per session and process, so that a sign-out, a ban or a role acts at once. `never`: when the access token ends.
   * @default never
   */
  readonly sessionCheck?: 'never' | 'always';
  /**
   * How long ago, in seconds, a person must have signed in to link or unlink an identity or to delete the account.
   * @default 900
   */
  readonly recentSignIn?: number;
  /**
   * Whose nickname and picture count when a person signs in: those that the host or the person has set stay
   * (`host_wins`), or WeChat's replace them each time that they are read (`wechat_wins`).
   * @default host_wins
   */
  readonly profile?: 'host_wins' | 'wechat_wins';
  /** Phone numbers that WeChat has verified. */
  readonly phone?: IamPhoneOptions;
  /**
   * Days between a person's deletion request and the erasure; they may withdraw the request until then.
   * @default 7
   */
  readonly deletionGraceDays?: number;
  /** Where WeChat is. */
  readonly wechat?: IamWechatOptions;
  /** Lifetimes of tokens and sessions. */
  readonly tokens?: IamTokenOptions;
  /** How many sessions a user may have. */
  readonly sessions?: IamSessionOptions;
  /**
   * A profile read from WeChat less than this many seconds ago is not read again.
   * @default 86400
   */
  readonly profileFreshness?: number;
  /**
   * How long a person may take between the start of a sign-in and WeChat's callback, in seconds (at most 600).
   * @default 600
   */
  readonly loginLifetime?: number;
  /**
   * How long one of the module's own statements may take, a wait for a lock included, and how long it may wait for a
   * connection of the host's pool, in milliseconds (100 to 60000). After that the request ends as `database_unavailable`.
   * Clean-up, erasure, resealing and exports have five minutes for each statement.
   * @default 5000
   */
  readonly databaseTimeout?: number;
  /**
   * Limits on QR codes and on failures, counted in PostgreSQL over all replicas; `off` for load tests. Behind a proxy the
   * host must tell Express or Fastify to trust it, or every visitor has the proxy's address.
   * @default { qrPerAddressAndMinute: 60, qrPerAddressAndDay: 2000, qrPerAccountAndDay: 48000, failuresPerAddressAndMinute: 120, failuresPerAddressAndDay: 2000 }
   */
  readonly rateLimits?: 'off' | IamRateLimits;
  /**
   * What the scenes of our QR codes begin with: 1 to 20 letters, digits or `:._-`, the last of them no letter or digit. Scans of other scenes, and those with this prefix and without our MAC, go to your handlers.
   * @default iam:
   */
  readonly scenePrefix?: string;
  /**
   * The name that a person reads on the phone's confirmation page.
   * @default the host of `publicUrl`
   */
  readonly siteName?: string;
  /** A host class that takes part in sign-up, sign-in, merging and erasure; a provider of the host, or made by the module. */
  readonly hooks?: Type<IamHooks>;
  /**
   * How long `matchUser` and `beforeSignUp` may take, in milliseconds (at most 60000); then the sign-in ends with `internal_error`.
   * @default 10000
   */
  readonly hookTimeout?: number;
  /**
   * `false` leaves work that no request waits for (due events, audit sink, clean-up) to other processes, and nothing runs in
   * this one on its own: for scripts and workers without your `@OnWechatEvent` methods. At least one process must do the work.
   * @default true
   */
  readonly background?: boolean;
  /**
   * Whether the host's middleware (Express middleware, Fastify hooks) runs before the module's endpoints. `skip`: they respond
   * first, so that no CSRF check, session or parser is in the way. `run`: for hooks that need what middleware sets up.
   * @default skip
   */
  readonly hostMiddleware?: 'skip' | 'run';
}

/** What must be known before providers exist, so it stands beside an async factory. */
export interface IamStaticOptions {
  /**
   * Path of every endpoint.
   * @default iam
   */
  readonly path?: string;
  /**
   * Puts `IamGuard` on every route of the host; `@Public()` opens one.
   * @default false
   */
  readonly globalGuard?: boolean;
  /**
   * Name of the host's TypeORM connection; `false` for none, with `database`.
   * @default TypeORM's default connection
   */
  readonly dataSource?: string | false;
}
