import type { Route } from '../http/router.js';
import type { AppState } from '../world/app-state.js';
import { snsTokenSeconds, type SnsAuthorization } from '../world/sns-tokens.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { checkCredentials } from './app-credentials.js';
import { redeemCode } from './redeem-code.js';
import { snsProfile } from './sns-profile.js';

/** `/sns/oauth2/*`, `/sns/auth` and `/sns/userinfo`: web authorization of website, mobile and Official Account apps. */
export function snsRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    apiRoute(answers, 'sns', '/sns/oauth2/access_token', (call) => exchange(world, call)),
    apiRoute(answers, 'sns', '/sns/oauth2/refresh_token', (call) => refresh(world, call)),
    apiRoute(answers, 'sns', '/sns/auth', (call) => {
      authorized(world, call);
      return { errcode: 0, errmsg: 'ok' };
    }),
    apiRoute(answers, 'sns', '/sns/userinfo', (call) => snsProfile(world, authorized(world, call))),
  ];
}

function exchange(world: World, call: ApiCall): object {
  const app = checkCredentials(world, call, {
    secret: true,
    required: { code: 41008 },
    grantType: 'authorization_code',
  });
  const code = redeemCode(world, call.param('code'), 'oauth', app.appid);
  const { person, scope, snapshot } = code;
  if (world.people.get(person).closed) throw new ApiError(50002);
  const openid = world.openid(person, app, snapshot);
  const subject = { appid: app.appid, person, openid, scope, snapshot };
  const authorization = world.snsTokens.issue(subject, app.refreshTokenDays);
  return { ...tokens(authorization), ...unionid(world, app, authorization), ...snapshotFlag(authorization) };
}

function refresh(world: World, call: ApiCall): object {
  const app = checkCredentials(world, call, {
    secret: false,
    required: { refresh_token: 41003 },
    grantType: 'refresh_token',
  });
  const authorization = world.snsTokens.findByRefreshToken(call.param('refresh_token'));
  if (authorization?.appid !== app.appid || authorization.revoked) throw new ApiError(40030);
  if (authorization.refreshExpiresAt <= world.clock.now()) throw new ApiError(42002);
  world.snsTokens.refresh(authorization);
  return tokens(authorization);
}

/** The live authorization that the call's token and openid stand for. */
function authorized(world: World, { param, incoming }: ApiCall): SnsAuthorization {
  if (!param('access_token')) throw new ApiError(41001);
  if (!param('openid')) throw new ApiError(41009);
  const authorization = world.snsTokens.findByAccessToken(param('access_token'));
  if (authorization?.accessToken !== param('access_token')) throw new ApiError(40001);
  if (world.people.get(authorization.person).closed) throw new ApiError(50002);
  if (authorization.revoked) throw new ApiError(50001);
  if (authorization.accessExpiresAt <= world.clock.now()) throw new ApiError(42001);
  const anyOpenid = incoming.path === '/sns/userinfo' && world.rules.userinfoOpenid === 'any';
  if (!anyOpenid && authorization.openid !== param('openid')) throw new ApiError(40003);
  return authorization;
}

function tokens(authorization: SnsAuthorization): object {
  return {
    access_token: authorization.accessToken,
    expires_in: snsTokenSeconds,
    refresh_token: authorization.refreshToken,
    openid: authorization.openid,
    scope: authorization.scope,
  };
}

/** Official Accounts show it with `snsapi_userinfo` only (protocol C.1, G). */
function unionid(world: World, app: AppState, { person, scope, snapshot }: SnsAuthorization): object {
  const grantedBefore =
    world.rules.unionidWithBaseScope === 'after-userinfo' &&
    world.grants.has(person, app.appid, 'snsapi_userinfo');
  if (scope === 'snsapi_base' && !grantedBefore) return {};
  const id = world.unionid(person, app, snapshot);
  return id === undefined ? {} : { unionid: id };
}

function snapshotFlag({ snapshot }: SnsAuthorization): object {
  return snapshot ? { is_snapshotuser: 1 } : {};
}
