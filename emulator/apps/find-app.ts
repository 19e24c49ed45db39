import type { Platform } from '../platform.js';
import { MiniProgram, MobileApp, OfficialAccount, WebsiteApp } from './apps.js';

/** Any app as an object to act with. */
export type AnyApp = WebsiteApp | MobileApp | MiniProgram | OfficialAccount;

/** All apps of the platform, oldest first. */
export function allApps(platform: Platform): readonly AnyApp[] {
  return platform.world.apps.all().map((settings) => {
    if (settings.kind === 'website') return new WebsiteApp(platform, settings);
    if (settings.kind === 'mobile') return new MobileApp(platform, settings);
    if (settings.kind === 'mini') return new MiniProgram(platform, settings);
    return new OfficialAccount(platform, settings);
  });
}

/** The app with this appid. */
export function findApp(platform: Platform, appid: string): AnyApp | undefined {
  return allApps(platform).find((app) => app.appid === appid);
}
