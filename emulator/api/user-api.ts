import type { Route } from '../http/router.js';
import type { OfficialAccountState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { officialAuthorized } from './base-authorized.js';
import { isJsonObject, jsonBody, textField } from './json-body.js';

const largestBatch = 100;

/** `/cgi-bin/user/*`: what an Official Account learns about the people it has met (protocol E.4). */
export function userRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/user/info', (call) => {
      const app = officialAuthorized(world, call);
      if (!call.param('openid')) throw new ApiError(41009);
      return userInfo(world, app, call.param('openid'));
    }),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/user/info/batchget', (call) => batch(world, call)),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/user/get', (call) => followerList(world, call)),
  ];
}

function userInfo(world: World, app: OfficialAccountState, openid: string): object {
  const person = world.identities.findPerson(app.appid, openid);
  if (person === undefined) throw new ApiError(40003);
  const unionid = world.unionid(person, app);
  const following = world.followers.find(person, app.appid);
  const shown = unionid === undefined ? {} : { unionid };
  if (!following) {
    return { subscribe: 0, openid, ...(world.rules.unionidForNonFollowers ? shown : {}), tagid_list: [] };
  }
  const records = world.operatorRecords(app.appid);
  return {
    subscribe: 1,
    openid,
    nickname: '',
    sex: 0,
    language: 'zh_CN',
    city: '',
    province: '',
    country: '',
    headimgurl: '',
    subscribe_time: following.since,
    ...shown,
    remark: records.remarks.get(person) ?? '',
    groupid: 0,
    tagid_list: records.tagsOf(person),
    subscribe_scene: following.subscribeScene,
    qr_scene: following.qrScene,
    qr_scene_str: following.qrSceneStr,
  };
}

function batch(world: World, call: ApiCall): object {
  const app = officialAuthorized(world, call);
  const { user_list: list } = jsonBody(call);
  if (!Array.isArray(list)) throw new ApiError(40031);
  if (list.length === 0 || list.length > largestBatch) throw new ApiError(40032);
  const wanted: readonly unknown[] = list;
  const openids = wanted.map((entry) => (isJsonObject(entry) ? textField(entry, 'openid') : ''));
  return { user_info_list: openids.map((openid) => userInfo(world, app, openid)) };
}

function followerList(world: World, call: ApiCall): object {
  const app = officialAuthorized(world, call);
  const all = world.followers.of(app.appid).map((person) => world.openid(person, app));
  const openid = all.slice(all.indexOf(call.param('next_openid')) + 1).slice(0, 10_000);
  return {
    total: all.length,
    count: openid.length,
    ...(openid.length > 0 ? { data: { openid } } : {}),
    next_openid: openid.at(-1) ?? '',
  };
}
