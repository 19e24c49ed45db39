import type {
  MiniProgramState,
  MobileAppState,
  OfficialAccountState,
  WebsiteAppState,
} from '../world/app-state.js';
import { PlatformApp } from './platform-app.js';

/** 网站应用: signs people in by a QR code on a PC. */
export class WebsiteApp extends PlatformApp<WebsiteAppState> {}

/** 移动应用: signs people in through the Open SDK. */
export class MobileApp extends PlatformApp<MobileAppState> {}

/** 小程序. */
export class MiniProgram extends PlatformApp<MiniProgramState> {}

/** 服务号: OAuth inside WeChat, followers, messages and parametric QR codes. */
export class OfficialAccount extends PlatformApp<OfficialAccountState> {}
