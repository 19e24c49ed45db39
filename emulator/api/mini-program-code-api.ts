import type { Answer, Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { qrPicture } from '../pages/qr-picture.js';
import type { MiniProgramState } from '../world/app-state.js';
import { randomText } from '../world/randomness.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized } from './base-authorized.js';
import { jsonBody, objectField, textField, type JsonObject } from './json-body.js';

const codesPerMinute = 5000;
const schemesPerDay = 500_000;
const sceneCharacters = /^[\w!#$&'()*+,/:;=?@.~-]+$/;
const versions = ['release', 'trial', 'develop'];
const longestLink = 30 * 86_400;

/** What the picture of a mini program code says to the emulator's phone. */
export function miniCodeContent(code: {
  readonly appid: string;
  readonly page: string;
  readonly scene: string;
}): string {
  return `emulator://mp?${new URLSearchParams(code).toString()}`;
}

/** Codes and links that open a mini program (protocol part 2, A). */
export function miniProgramCodeRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    {
      method: '*',
      path: '/wxa/getwxacodeunlimit',
      respond: (incoming) => codeImage(world, answers, incoming),
    },
    apiRoute(answers, 'cgi-bin', '/wxa/generatescheme', (call) => scheme(world, call)),
  ];
}

/** An image, or an error as JSON: callers must look at what they get. */
async function codeImage(world: World, answers: ApiAnswers, incoming: Incoming): Promise<Answer> {
  try {
    const call = { incoming, param: (name: string): string => incoming.query.get(name) ?? '' };
    return await qrPicture(miniCodeContent(readCode(world, call)));
  } catch (error) {
    if (error instanceof ApiError) return answers.error('cgi-bin', error.errcode, error.message);
    throw error;
  }
}

function readCode(world: World, call: ApiCall): { appid: string; page: string; scene: string } {
  const app = miniProgram(world, call);
  const posted = jsonBody(call);
  const scene = textField(posted, 'scene');
  if (scene.length < 1 || scene.length > 32) throw new ApiError(40169);
  if (!sceneCharacters.test(scene)) throw new ApiError(40129);
  const page = textField(posted, 'page');
  if (page.includes('scancode_time')) throw new ApiError(85096);
  if (!isPage(app, page, posted['check_path'] !== false)) throw new ApiError(41030);
  const version = posted['env_version'] ?? 'release';
  if (typeof version !== 'string' || !versions.includes(version)) throw new ApiError(40097);
  const minute = `wxacode ${Math.floor(world.clock.seconds() / 60)}`;
  if (!world.quotas.use(app.appid, minute, codesPerMinute)) throw new ApiError(45009);
  return { appid: app.appid, page: page === '' ? (app.pages?.[0] ?? '') : page, scene };
}

/** Without a list of released pages any path goes. */
function isPage({ pages }: MiniProgramState, page: string, checked: boolean): boolean {
  if (page.startsWith('/') || page.includes('?')) return false;
  return !checked || page === '' || pages === undefined || pages.includes(page);
}

function scheme(world: World, call: ApiCall): object {
  const app = miniProgram(world, call);
  const posted = jsonBody(call);
  const target = objectField(posted, 'jump_wxa');
  const path = textField(target, 'path').replace(/^\//, '');
  if (!isPage(app, path, true)) throw new ApiError(40165);
  if (!/^(?:[^=&]+=[^=&]*(?:&|$))*$/.test(textField(target, 'query'))) throw new ApiError(40212);
  if (!versions.includes(textField(target, 'env_version') || 'release')) throw new ApiError(85402);
  if (!isExpiry(world, posted)) throw new ApiError(85401);
  if (!world.quotas.use(app.appid, 'scheme', schemesPerDay)) throw new ApiError(44993);
  const t = randomText(world.randomness, 11);
  world.miniLinks.set(t, { appid: app.appid, path, query: textField(target, 'query') });
  return { errcode: 0, errmsg: 'ok', openlink: `weixin://dl/business/?t=${t}` };
}

/** From one minute to thirty days ahead, as a moment or in days. */
function isExpiry(world: World, posted: JsonObject): boolean {
  if (posted['expire_type'] === 1) {
    const days = posted['expire_interval'];
    return typeof days === 'number' && days >= 1 && days <= 30;
  }
  const until = posted['expire_time'];
  const ahead = typeof until === 'number' ? until - world.clock.seconds() : 0;
  return ahead >= 60 && ahead <= longestLink;
}

function miniProgram(world: World, call: ApiCall): MiniProgramState {
  const app = baseAuthorized(world, call);
  if (app.kind !== 'mini') throw new ApiError(48001);
  return app;
}
