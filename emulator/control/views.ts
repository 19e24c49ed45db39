import { allApps, type AnyApp } from '../apps/find-app.js';
import { OfficialAccount } from '../apps/apps.js';
import type { MiniVisit } from '../mini/mini-visit.js';
import type { Person } from '../person.js';
import { qrContent } from '../pages/qrconnect-routes.js';
import type { Platform } from '../platform.js';
import type { Controls } from './controls.js';

const mostCodes = 20;
/** Nothing tells when a mini program code leaves its screen, in milliseconds. */
const shownFor = 5 * 60_000;

/** A QR code that somebody could scan now. */
interface QrCodeView {
  readonly kind: 'login' | 'scene' | 'mini';
  readonly content: string;
  readonly appid: string;
  readonly appName: string;
  /** A page shows it at this moment, as far as the emulator can tell. */
  readonly onScreen: boolean;
  readonly expiresAt: string | null;
}

/** An app with what a test needs to configure the other side. */
export function appView(app: AnyApp): object {
  const { secret, ...settings } = app.settings;
  return { ...settings, secret };
}

/** A person with their ids everywhere. */
export function personView(platform: Platform, person: Person): object {
  const { apps, people } = platform.world;
  const openids = apps
    .all()
    .map(({ appid }) => [appid, platform.world.identities.openid(person.id, appid)] as const);
  const unionids = apps
    .accounts()
    .map((id) => [id, platform.world.identities.unionid(person.id, id)] as const);
  const { id, nickname, avatar, closed, phoneNumber, countryCode } = people.get(person.id);
  const followed = apps.all().filter(({ appid }) => platform.world.followers.has(id, appid));
  return {
    id,
    nickname,
    avatar,
    phoneNumber,
    countryCode,
    closed,
    openids: Object.fromEntries(openids),
    unionids: Object.fromEntries(unionids),
    follows: followed.map(({ appid }) => appid),
    asks: person.phone.asks,
  };
}

/** Sign-in codes on PC screens and parametric codes that nobody has scanned, those on a screen first. */
export function qrCodeViews({ world, origin }: Platform): readonly QrCodeView[] {
  const nameOf = (appid: string): string => world.apps.find(appid)?.name ?? appid;
  const logins = world.qrLogins.pending().map((login) => ({
    kind: 'login' as const,
    content: qrContent(origin, login.uuid),
    appid: login.appid,
    appName: nameOf(login.appid),
    onScreen: world.qrLogins.isOnScreen(login),
    expiresAt: new Date(login.expiresAt).toISOString(),
  }));
  const scenes = world.scenes.pending().map((scene) => ({
    kind: 'scene' as const,
    content: scene.url,
    appid: scene.appid,
    appName: nameOf(scene.appid),
    onScreen: true,
    expiresAt: scene.expiresAt === Infinity ? null : new Date(scene.expiresAt).toISOString(),
  }));
  const minis = world.miniEntries.codes().map(({ content, target: { appid }, madeAt }) => ({
    kind: 'mini' as const,
    content,
    appid,
    appName: nameOf(appid),
    onScreen: world.clock.now() - madeAt < shownFor,
    expiresAt: null,
  }));
  const kinds: readonly (readonly QrCodeView[])[] = [logins, scenes, minis];
  const all = kinds.flatMap((codes) => codes.slice(0, mostCodes));
  return all.sort((one, other) => Number(other.onScreen) - Number(one.onScreen));
}

/** What a mini program shows on somebody's phone. */
export function miniVisitView(platform: Platform, visit: MiniVisit): object {
  const { appid, page, query, entry, start, screen } = visit;
  const name = platform.world.apps.find(appid)?.name ?? appid;
  return { appid, name, page, query, entry, start, screen };
}

/** The whole stage at a glance. */
export function overview({ platform, population, clock, rules }: Controls): object {
  const apps = allApps(platform);
  return {
    endpoints: { api: platform.origin, open: platform.origin, mp: platform.origin },
    now: new Date(clock.now()).toISOString(),
    accounts: platform.world.apps.accounts(),
    apps: apps.map(appView),
    officialAccounts: apps.filter((app) => app instanceof OfficialAccount).map(({ appid }) => appid),
    people: population.all().map((person) => personView(platform, person)),
    qrCodes: qrCodeViews(platform),
    rules,
  };
}
