/** How messages and events travel to the app's server (protocol F.2). */
export type MessageMode = 'plain' | 'compatible' | 'safe';

/** The console's "server configuration" page: where pushes go and how they are protected. */
export interface ServerSettings {
  url?: string;
  token: string;
  encodingAesKey: string;
  mode: MessageMode;
  format: 'xml' | 'json';
}

interface AppFields {
  readonly appid: string;
  secret: string;
  name: string;
  /** The raw id (`gh_…`) under which the app appears in messages. */
  readonly originalId: string;
  /** The Open Platform account the app is bound to; without one nobody has a unionid here. */
  accountId?: string;
  /** Lifetime of refresh tokens: 30 days, or 180 as the newest mobile page says. */
  refreshTokenDays: number;
  /** Addresses and CIDR ranges that may use the app's secret; absent means all. */
  ipWhitelist?: readonly string[];
  server: ServerSettings;
}

/** 网站应用: QR sign-in in a PC browser. */
export interface WebsiteAppState extends AppFields {
  readonly kind: 'website';
  callbackDomain: string;
}

/** 移动应用: sign-in through the Open SDK. */
export interface MobileAppState extends AppFields {
  readonly kind: 'mobile';
}

/** 小程序. */
export interface MiniProgramState extends AppFields {
  readonly kind: 'mini';
  /** Pages of the released version, the home page first; absent means that any path is one. */
  pages?: readonly string[];
  /** Ids of the people for whom trial and development builds open. */
  members: readonly string[];
  /** The page on which people answer sign-ins of other devices, as the emulator plays it. */
  approvalPage?: ApprovalPage;
}

/** A page of a mini program that asks its person to confirm a sign-in on another device, and the server that it asks. */
export interface ApprovalPage {
  /** Path of the page, e.g. `pages/approve/approve`. */
  readonly page: string;
  /** The address of the server's endpoints, e.g. `https://app.example.com/iam`. */
  readonly server: string;
  readonly clientId: string;
  /** The slug of the provider row. */
  readonly provider: string;
}

/** 服务号: OAuth inside WeChat, followers, messages, parametric QR codes. */
export interface OfficialAccountState extends AppFields {
  readonly kind: 'official';
  oauthDomain: string;
  /** Unverified accounts have neither OAuth scopes nor parametric QR codes. */
  verified: boolean;
  /** 测试号: only followers may use it, and its quotas are small. */
  sandbox: boolean;
  banned: boolean;
}

/** Anything with an appid. */
export type AppState = WebsiteAppState | MobileAppState | MiniProgramState | OfficialAccountState;
