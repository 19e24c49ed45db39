export { WechatEmulator, type EmulatorEndpoints, type EmulatorOptions } from './emulator.js';
export type { TlsOptions } from './http/certificates.js';
export { wechatHosts } from './http/host-names.js';
export { OpenPlatformAccount } from './apps/open-platform-account.js';
export { MiniProgram, MobileApp, OfficialAccount, WebsiteApp } from './apps/apps.js';
export { PlatformApp } from './apps/platform-app.js';
export type {
  AppOptions,
  MiniProgramOptions,
  OfficialAccountOptions,
  WebsiteAppOptions,
} from './apps/app-options.js';
export type { Approval, ApprovalAnswer, MiniScreen } from './mini/mini-visit.js';
export { MiniVisit } from './mini/mini-visit.js';
export type { ApprovalPage, MessageMode, ServerSettings } from './world/app-state.js';
export type { PersonOptions } from './population.js';
export { Person, PhoneButtonError } from './person.js';
export { Phone, type OpenOptions } from './phone.js';
export type { ScanResult } from './scan-result.js';
export { QrScreen, type QrScreenState } from './qr-screen.js';
export type { WebPage } from './web-view/web-view.js';
export type { WechatClient } from './web-view/user-agents.js';
export type { Fault } from './faults.js';
export type { Call } from './calls.js';
export { EmulatorClock } from './clock.js';
export { rulesSchema, strictRules, type EmulatorRules } from './rules.js';
export type { Delivery, DeliveryAttempt } from './push/delivery.js';
export type { HandshakeResult } from './push/handshake.js';
export type { PushFields } from './push/push-fields.js';
export type { PushRequest } from './push/push-request.js';
export type { RawPushOptions, RawPushResult } from './push/raw-push.js';
export type { Article, ChatMessage } from './world/chats.js';
export type { EncryptedData } from './mini/encrypted-data.js';
