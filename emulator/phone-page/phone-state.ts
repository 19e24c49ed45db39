import { OfficialAccount } from '../apps/apps.js';
import { allApps } from '../apps/find-app.js';
import { miniVisitView, qrCodeViews } from '../control/views.js';
import type { Person } from '../person.js';
import type { Platform } from '../platform.js';
import type { WebVisits } from './web-visit.js';

/** Everything the phone page shows for a person; it asks for it again and again. */
export function phoneState(platform: Platform, visits: WebVisits, person: Person): object {
  const { world } = platform;
  const visit = visits.of(person.id);
  const accounts = allApps(platform).filter((app) => app instanceof OfficialAccount);
  return {
    id: person.id,
    nickname: person.nickname,
    avatar: person.avatar,
    closed: world.people.get(person.id).closed,
    snapshot: world.rules.snapshot,
    webView: visit ? { url: visit.url, title: visit.title } : null,
    mini: person.miniVisit ? miniVisitView(platform, person.miniVisit) : null,
    codes: qrCodeViews(platform).filter(({ onScreen }) => onScreen),
    chats: accounts.map((app) => ({
      appid: app.appid,
      name: app.name,
      followed: world.followers.has(person.id, app.appid),
      messages: person.chat(app).map((message) => ({ ...message, at: message.at.toISOString() })),
    })),
    grants: world.grants
      .appsOf(person.id)
      .map((appid) => ({ appid, name: world.apps.find(appid)?.name ?? appid })),
  };
}
