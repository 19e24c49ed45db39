import type { Platform } from '../platform.js';
import type {
  AppOptions,
  MiniProgramOptions,
  OfficialAccountOptions,
  WebsiteAppOptions,
} from './app-options.js';
import type { MiniProgram, MobileApp, OfficialAccount, WebsiteApp } from './apps.js';
import type { PlatformApp } from './platform-app.js';
import { AppRegistry } from './register-app.js';

/** 开放平台账号: the space in which one person has one unionid. */
export class OpenPlatformAccount {
  readonly #desk: AppRegistry;

  constructor(
    platform: Platform,
    readonly id: string,
  ) {
    this.#desk = new AppRegistry(platform, id);
  }

  websiteApp(options: WebsiteAppOptions): WebsiteApp {
    return this.#desk.websiteApp(options);
  }

  officialAccount(options: OfficialAccountOptions): OfficialAccount {
    return this.#desk.officialAccount(options);
  }

  mobileApp(options: AppOptions = {}): MobileApp {
    return this.#desk.mobileApp(options);
  }

  miniProgram(options: MiniProgramOptions = {}): MiniProgram {
    return this.#desk.miniProgram(options);
  }

  /** Binds an app to this account, from now on: its people's unionids arrive late, or change (protocol G). */
  bind(app: PlatformApp): void {
    app.settings.accountId = this.id;
  }

  unbind(app: PlatformApp): void {
    if (app.settings.accountId === this.id) delete app.settings.accountId;
  }
}
