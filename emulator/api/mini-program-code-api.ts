import type { Answer, Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { drawQr } from '../pages/qr-picture.js';
import type { MiniProgramState } from '../world/app-state.js';
import { type MiniTarget, miniVersions } from '../world/mini-entries.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized } from './base-authorized.js';
import { jsonBody, objectField, textField, type JsonObject } from './json-body.js';

const linksPerDay = 500_000;
/** Of codes with a path: of both kinds together, as long as the program lives. */
const pathCodes = 100_000;
const longestPath = { getwxacode: 1024, createwxaqrcode: 128 } as const;
const longestScene = 32;
const sceneCharacters = /^[\w!#$&'()*+,/:;=?@.~-]+$/;
const queryCharacters = /^[\w!#$&'()*+,/:;=?@.~%`-]*$/;
const longestLink = 30 * 86_400;
const width = { least: 280, usual: 430, most: 1280 };

/** Codes and links that open a mini program (protocol part 2, A). */
export function miniProgramCodeRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    {
      method: '*',
      path: '/wxa/getwxacodeunlimit',
      respond: (incoming) => codeImage(world, answers, { incoming, read: (call) => readCode(world, call) }),
    },
    {
      method: '*',
      path: '/wxa/getwxacode',
      respond: (incoming) =>
        codeImage(world, answers, { incoming, read: (call) => readPathCode(world, call, 'getwxacode') }),
    },
    {
      method: '*',
      path: '/cgi-bin/wxaapp/createwxaqrcode',
      respond: (incoming) =>
        codeImage(world, answers, { incoming, read: (call) => readPathCode(world, call, 'createwxaqrcode') }),
    },
    apiRoute(answers, 'cgi-bin', '/wxa/generatescheme', (call) => {
      const token = generate(world, call, { entry: 1065, length: 11 });
      return { errcode: 0, errmsg: 'ok', openlink: `weixin://dl/business/?t=${token}` };
    }),
    apiRoute(answers, 'cgi-bin', '/wxa/generate_urllink', (call) => {
      const token = generate(world, call, { entry: 1194, length: 7 });
      return { errcode: 0, errmsg: 'ok', url_link: `https://wxaurl.cn/${token}` };
    }),
    apiRoute(answers, 'cgi-bin', '/wxa/queryscheme', (call) => ({
      errcode: 0,
      errmsg: 'ok',
      scheme_info: lookUp(world, call, { field: 'scheme', form: /^weixin:\/\/dl\/business\/\?t=(\w+)$/ }),
    })),
    apiRoute(answers, 'cgi-bin', '/wxa/query_urllink', (call) => ({
      errcode: 0,
      errmsg: 'ok',
      url_link_info: lookUp(world, call, { field: 'url_link', form: /^https:\/\/wxaurl\.cn\/(\w+)$/ }),
    })),
  ];
}

/** An image, or an error as JSON: callers must look at what they get. */
async function codeImage(
  world: World,
  answers: ApiAnswers,
  { incoming, read }: { readonly incoming: Incoming; readonly read: (call: ApiCall) => AskedCode },
): Promise<Answer> {
  try {
    const call = { incoming, param: (name: string): string => incoming.query.get(name) ?? '' };
    const { target, scene, used, ...looks } = read(call);
    const { appid, page } = target;
    const content = `emulator://mp?${new URLSearchParams({ appid, page, ...scene }).toString()}`;
    const body = await drawQr(content, looks);
    world.miniEntries.addCode(body, target, content);
    const counted = used === undefined ? {} : { 'num-used': String(used) };
    return { status: 200, headers: { 'content-type': 'image/png', ...counted }, body };
  } catch (error) {
    if (error instanceof ApiError) return answers.error('cgi-bin', error.errcode, error.message);
    throw error;
  }
}

interface AskedCode {
  readonly target: MiniTarget;
  /** What tells the content of one code from that of another of the page. */
  readonly scene: Readonly<Record<string, string>>;
  /** Of the codes that the program may ever have. */
  readonly used?: number;
  readonly width: number;
  readonly isTransparent: boolean;
}

/** Objects in WeChat's order (protocol part 2, A.9). */
function readCode(world: World, call: ApiCall): AskedCode {
  const app = miniProgram(world, call);
  const posted = jsonBody(call);
  for (const name of ['scene', 'page', 'env_version'])
    if (!['string', 'undefined'].includes(typeof posted[name])) throw new ApiError(47001);
  const { scene, page } = { scene: textField(posted, 'scene'), page: textField(posted, 'page') };
  if (scene.length < 1 || scene.length > longestScene) throw new ApiError(40169);
  if (!sceneCharacters.test(scene)) throw new ApiError(40129);
  if (!isPage(app, page, posted['check_path'] !== false)) throw new ApiError(41030);
  const version = versionOf(posted, 40097);
  if (scene.includes('scancode_time')) throw new ApiError(85096);
  const minute = `wxacode ${Math.floor(world.clock.seconds() / 60)}`;
  if (!world.quotas.use(app.appid, minute, world.rules.miniCodesPerMinute)) throw new ApiError(45009);
  const target = { appid: app.appid, page, query: `scene=${encodeURIComponent(scene)}`, version };
  return { target, scene: { scene }, width: widthOf(posted), isTransparent: posted['is_hyaline'] === true };
}

/** A code whose page has its query in the path; nothing checks that the page is there (protocol part 2, A.3). */
function readPathCode(world: World, call: ApiCall, api: keyof typeof longestPath): AskedCode {
  const { appid } = miniProgram(world, call);
  const posted = jsonBody(call);
  const path = textField(posted, 'path');
  if (path.length < 1 || path.length > longestPath[api]) throw new ApiError(40159);
  const isRound = api === 'getwxacode';
  const version = isRound ? versionOf(posted, 40097) : 'release';
  const used = world.miniEntries.countPathCode(appid, pathCodes);
  if (used === null) throw new ApiError(45029);
  const [page = '', query = ''] = path.split(/\?(.*)/s);
  const target = { appid, page, query, version };
  const isTransparent = isRound && posted['is_hyaline'] === true;
  return { target, scene: { query }, width: widthOf(posted), isTransparent, ...(isRound && { used }) };
}

function widthOf({ width: asked }: JsonObject): number {
  return typeof asked === 'number' ? Math.min(Math.max(asked, width.least), width.most) : width.usual;
}

function versionOf(posted: JsonObject, errcode: number): MiniTarget['version'] {
  const asked = textField(posted, 'env_version') || 'release';
  const version = miniVersions.find((name) => name === asked);
  if (version === undefined) throw new ApiError(errcode);
  return version;
}

/** Without a list of released pages any path goes. */
function isPage({ pages }: MiniProgramState, page: string, checked: boolean): boolean {
  if (page.startsWith('/') || page.includes('?')) return false;
  return !checked || page === '' || pages === undefined || pages.includes(page);
}

/** The token of a new scheme, whose target stands in `jump_wxa`, or of a new URL Link, whose target stands in the body itself. */
function generate(
  world: World,
  call: ApiCall,
  { entry, length }: { readonly entry: 1065 | 1194; readonly length: number },
): string {
  const app = miniProgram(world, call);
  const posted = jsonBody(call);
  const wanted = entry === 1065 ? objectField(posted, 'jump_wxa') : posted;
  const page = textField(wanted, 'path').replace(/^\//, '');
  if (!isPage(app, page, true)) throw new ApiError(40165);
  const query = textField(wanted, 'query');
  const isQuery = query.length <= 1024 && queryCharacters.test(query);
  if (!isQuery || !/^(?:[^=&]+=[^=&]*(?:&|$))*$/.test(query)) throw new ApiError(40212);
  const version = versionOf(wanted, 85402);
  const expiresAt = expiryOf(world, posted);
  if (!world.quotas.use(app.appid, 'link', linksPerDay)) throw new ApiError(44993);
  const target = { appid: app.appid, page, query, version };
  return world.miniEntries.addLink({ target, expiresAt, entry }, length);
}

/** From one minute to thirty days ahead, as a moment or in days. */
function expiryOf({ clock }: World, posted: JsonObject): number {
  const { expire_type: type, expire_interval: days, expire_time: until } = posted;
  const ahead =
    type === 1 ? 86_400 * (typeof days === 'number' ? days : 0) : Number(until ?? 0) - clock.seconds();
  if (!(ahead >= 60 && ahead <= longestLink)) throw new ApiError(85401);
  return clock.seconds() + ahead;
}

function lookUp(
  world: World,
  call: ApiCall,
  { field, form }: { readonly field: string; readonly form: RegExp },
): object {
  const { appid } = miniProgram(world, call);
  const link = textField(jsonBody(call), field);
  if (link.includes('?appid=')) throw new ApiError(85405);
  const found = world.miniEntries.findLink(form.exec(link)?.[1] ?? '');
  if (found?.target.appid !== appid) throw new ApiError(85403);
  const { target, madeAt, expiresAt } = found;
  const { page, query, version } = target;
  return { appid, path: page, query, create_time: madeAt, expire_time: expiresAt, env_version: version };
}

function miniProgram(world: World, call: ApiCall): MiniProgramState {
  const app = baseAuthorized(world, call);
  if (app.kind !== 'mini') throw new ApiError(48001);
  return app;
}
