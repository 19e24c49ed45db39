import type { SnsAuthorization } from '../world/sns-tokens.js';
import type { World } from '../world/world.js';
import { ApiError } from './api-error.js';

/** The grey picture of people who show none. */
const greyAvatar =
  'https://thirdwx.qlogo.cn/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/132';

/** `/sns/userinfo`. Gender and region have been empty on every channel since 2021 (protocol C.4). */
export function snsProfile(
  world: World,
  { person, appid, openid, scope, snapshot }: SnsAuthorization,
): object {
  if (scope === 'snsapi_base') throw new ApiError(48001);
  if (snapshot && world.rules.snapshotProfile === 48001) throw new ApiError(48001);
  const app = world.apps.find(appid);
  if (!app) throw new ApiError(40013);
  const { nickname, avatar } = snapshot
    ? { nickname: '微信用户', avatar: greyAvatar }
    : world.people.get(person);
  const unionid = world.unionid(person, app, snapshot);
  return {
    openid,
    nickname,
    sex: 0,
    language: '',
    city: '',
    province: '',
    country: '',
    headimgurl: avatar,
    privilege: [],
    ...(unionid === undefined ? {} : { unionid }),
  };
}
