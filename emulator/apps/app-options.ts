import type { ApprovalPage, ServerSettings } from '../world/app-state.js';

/** What every app may be given; the rest is made up. */
export interface AppOptions {
  readonly appid?: string;
  readonly secret?: string;
  readonly name?: string;
  /** Lifetime of refresh tokens. @default 30 */
  readonly refreshTokenDays?: number;
  /** Addresses and CIDR ranges that may ask for a base access token. @default all */
  readonly ipWhitelist?: readonly string[];
  /** Where pushes go; none are sent without it. */
  readonly serverUrl?: string;
  /** 3 to 32 letters and digits, shared with the server. */
  readonly token?: string;
  /** 43 characters of base64. */
  readonly encodingAesKey?: string;
  /** @default 'safe' */
  readonly mode?: ServerSettings['mode'];
  /** @default 'xml' ('json' for mini programs) */
  readonly format?: ServerSettings['format'];
  /** False leaves the app outside the Open Platform account, so that its people have no unionid yet. @default true */
  readonly bound?: boolean;
}

/** A mini program's registration. */
export interface MiniProgramOptions extends AppOptions {
  /** Pages of the released version, the home page first. @default any path is a page */
  readonly pages?: readonly string[];
  /** The page that answers sign-ins of other devices; people's phones play it. It is one of the pages. @default none */
  readonly approvalPage?: ApprovalPage;
  /** Ids of the people for whom trial and development builds open. @default nobody */
  readonly members?: readonly string[];
}

/** A website app's registration. */
export interface WebsiteAppOptions extends AppOptions {
  /** 授权回调域: a bare host without scheme, port or path. */
  readonly callbackDomain: string;
}

/** An Official Account's registration. */
export interface OfficialAccountOptions extends AppOptions {
  /** 网页授权域名: a bare host; with `localhost` ports are allowed, as for sandbox accounts. */
  readonly oauthDomain: string;
  /** @default true */
  readonly verified?: boolean;
  /** A test account (测试号): for followers only, small quotas. @default false */
  readonly sandbox?: boolean;
}
