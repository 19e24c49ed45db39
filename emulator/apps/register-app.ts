import type { Platform } from '../platform.js';
import type { ServerSettings } from '../world/app-state.js';
import type {
  AppOptions,
  MiniProgramOptions,
  OfficialAccountOptions,
  WebsiteAppOptions,
} from './app-options.js';
import { MiniProgram, MobileApp, OfficialAccount, WebsiteApp } from './apps.js';

/** What any kind of app begins with. */
interface Registration {
  readonly appid: string;
  secret: string;
  name: string;
  readonly originalId: string;
  accountId?: string;
  refreshTokenDays: number;
  ipWhitelist?: readonly string[];
  server: ServerSettings;
}

/** Registers apps on the platform, inside an Open Platform account or outside of all. */
export class AppRegistry {
  constructor(
    private readonly platform: Platform,
    private readonly accountId?: string,
  ) {}

  websiteApp(options: WebsiteAppOptions): WebsiteApp {
    const { callbackDomain } = options;
    const app = { ...this.#register(options, '网站应用', 'xml'), kind: 'website' as const, callbackDomain };
    return new WebsiteApp(this.platform, this.platform.world.apps.add(app));
  }

  mobileApp(options: AppOptions = {}): MobileApp {
    const app = { ...this.#register(options, '移动应用', 'xml'), kind: 'mobile' as const };
    return new MobileApp(this.platform, this.platform.world.apps.add(app));
  }

  miniProgram(options: MiniProgramOptions = {}): MiniProgram {
    const { pages, approvalPage, members = [] } = options;
    const app = {
      ...this.#register(options, '小程序', 'json'),
      kind: 'mini' as const,
      members,
      ...(pages === undefined ? {} : { pages: withPage(pages, approvalPage?.page) }),
      ...(approvalPage === undefined ? {} : { approvalPage }),
    };
    return new MiniProgram(this.platform, this.platform.world.apps.add(app));
  }

  officialAccount(options: OfficialAccountOptions): OfficialAccount {
    const app = {
      ...this.#register(options, '服务号', 'xml'),
      kind: 'official' as const,
      oauthDomain: options.oauthDomain,
      verified: options.verified ?? true,
      sandbox: options.sandbox ?? false,
      banned: false,
    };
    return new OfficialAccount(this.platform, this.platform.world.apps.add(app));
  }

  #register(options: AppOptions, name: string, format: ServerSettings['format']): Registration {
    const { apps, identities } = this.platform.world;
    const number = apps.all().length + 1;
    const appid = options.appid ?? identities.appid(number);
    return {
      appid,
      secret: options.secret ?? identities.secret(number),
      name: options.name ?? name,
      originalId: identities.originalId(appid),
      ...(this.accountId === undefined || options.bound === false ? {} : { accountId: this.accountId }),
      refreshTokenDays: options.refreshTokenDays ?? 30,
      ...(options.ipWhitelist ? { ipWhitelist: options.ipWhitelist } : {}),
      server: {
        ...(options.serverUrl === undefined ? {} : { url: options.serverUrl }),
        token: options.token ?? 'emulator',
        encodingAesKey: options.encodingAesKey ?? 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
        mode: options.mode ?? 'safe',
        format: options.format ?? format,
      },
    };
  }
}

function withPage(pages: readonly string[], page: string | undefined): readonly string[] {
  return page === undefined || pages.includes(page) ? pages : [...pages, page];
}
