import { text } from '../http/answers.js';
import type { Route } from '../http/router.js';
import { qrPicture } from '../pages/qr-picture.js';
import type { Scene } from '../world/scenes.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { officialAuthorized } from './base-authorized.js';
import { isJsonObject, jsonBody, objectField, textField, type JsonObject } from './json-body.js';

const longestSeconds = 2_592_000;
const mostPermanent = 100_000;
const sandboxCodesPerDay = 10_000;

/** Parametric QR codes: making one, and its picture (protocol E.3). */
export function qrcodeRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/qrcode/create', (call) => create(world, call)),
    {
      method: 'GET',
      path: '/cgi-bin/showqrcode',
      respond: async ({ query }) => {
        const scene = world.scenes.findByTicket(query.get('ticket') ?? '');
        return scene ? qrPicture(scene.url) : text('<h1>404 Not Found</h1>', 'text/html', 404);
      },
    },
  ];
}

function create(world: World, call: ApiCall): object {
  const app = officialAuthorized(world, call);
  const posted = jsonBody(call);
  const action = readAction(posted);
  const limit = app.sandbox ? sandboxCodesPerDay : world.rules.qrCodesPerDay;
  if (!world.quotas.use(app.appid, 'qrcode', limit)) throw new ApiError(45009);
  if (action.permanent && !world.quotas.use(app.appid, 'permanent', mostPermanent, 'ever'))
    throw new ApiError(45029);
  const seconds = action.permanent ? Infinity : expireSeconds(world, posted);
  const scene = world.scenes.create({ ...action.scene, appid: app.appid }, seconds);
  const { ticket, url } = scene;
  return action.permanent ? { ticket, url } : { ticket, expire_seconds: seconds, url };
}

function readAction(posted: JsonObject): {
  readonly permanent: boolean;
  readonly scene: Pick<Scene, 'key' | 'isNumber'>;
} {
  const name = textField(posted, 'action_name');
  const permanent = name.startsWith('QR_LIMIT_');
  if (!/^QR_(?:LIMIT_)?(?:STR_)?SCENE$/.test(name)) throw new ApiError(40052);
  if (!isJsonObject(objectField(posted, 'action_info')['scene'])) throw new ApiError(40053);
  const scene = objectField(objectField(posted, 'action_info'), 'scene');
  if (name.includes('STR')) return { permanent, scene: { key: stringScene(scene), isNumber: false } };
  const largest = permanent ? mostPermanent : 0xffffffff;
  return { permanent, scene: { key: String(numberScene(scene, largest)), isNumber: true } };
}

function stringScene(scene: JsonObject): string {
  const key = scene['scene_str'];
  if (typeof key !== 'string' || key.length < 1 || key.length > 64) throw new ApiError(40129);
  return key;
}

function numberScene(scene: JsonObject, largest: number): number {
  const id = scene['scene_id'];
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > largest) throw new ApiError(40129);
  return id;
}

/** Thirty days at most; the default is short, which is why everybody should say it. */
function expireSeconds(world: World, { expire_seconds: asked }: JsonObject): number {
  if (typeof asked !== 'number' || !(asked > 0)) return world.rules.sceneSeconds;
  return Math.min(Math.floor(asked), longestSeconds);
}
