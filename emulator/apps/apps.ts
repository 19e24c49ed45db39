import type {
  MiniProgramState,
  MobileAppState,
  OfficialAccountState,
  WebsiteAppState,
} from '../world/app-state.js';
import { entries, MiniVisit } from '../mini/mini-visit.js';
import { PlatformApp } from './platform-app.js';

/** 网站应用: signs people in by a QR code on a PC. */
export class WebsiteApp extends PlatformApp<WebsiteAppState> {}

/** 移动应用: signs people in through the Open SDK. */
export class MobileApp extends PlatformApp<MobileAppState> {}

/** 小程序. */
export class MiniProgram extends PlatformApp<MiniProgramState> {
  /** WeChat's search crawler (scene 1129) opens a page of the released version: nobody's login, and yet requests of the program. */
  async crawl(page: string, query = ''): Promise<MiniVisit> {
    const target = { appid: this.appid, page, query, version: 'release' } as const;
    const entry = entries.crawler;
    return MiniVisit.open({ app: this.settings, target, entry, isHotStart: false, person: null });
  }
}

/** 服务号: OAuth inside WeChat, followers, messages and parametric QR codes. */
export class OfficialAccount extends PlatformApp<OfficialAccountState> {
  /** 帐号迁移: the operators have agreed that this account moves into another one; see `confirmMigration`. */
  migrateTo(target: OfficialAccount): void {
    this.platform.world.migrations.begin(this.settings, target.settings);
  }

  /** The administrator confirms: the followers go over and this account is frozen. Openids are told for fifteen days. */
  confirmMigration(): void {
    this.platform.world.migrations.confirm(this.settings);
  }
}
