import type { Route } from '../http/router.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { checkCredentials } from './app-credentials.js';
import { baseAuthorized } from './base-authorized.js';
import { jsonBody, textField } from './json-body.js';
import { redeemCode } from './redeem-code.js';

/** What mini programs' servers ask: who logged in, and the phone number behind the button (protocol D.2, D.3). */
export function miniProgramRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    apiRoute(answers, 'sns', '/sns/jscode2session', (call) => codeToSession(world, call)),
    apiRoute(answers, 'cgi-bin', '/wxa/business/getuserphonenumber', (call) => phoneNumber(world, call)),
  ];
}

function codeToSession(world: World, call: ApiCall): object {
  const app = checkCredentials(world, call, {
    secret: true,
    required: { js_code: 41008 },
    grantType: 'authorization_code',
  });
  const { person } = redeemCode(world, call.param('js_code'), 'session', app.appid);
  if (world.people.get(person).closed) throw new ApiError(50002);
  const unionid = world.unionid(person, app);
  return {
    session_key: world.sessionKeys.current(person, app.appid),
    openid: world.openid(person, app),
    ...(unionid === undefined ? {} : { unionid }),
  };
}

function phoneNumber(world: World, call: ApiCall): object {
  const app = baseAuthorized(world, call);
  const posted = jsonBody(call);
  const { person } = redeemCode(world, textField(posted, 'code'), 'phone', app.appid);
  const openid = textField(posted, 'openid');
  if (openid !== '' && openid !== world.openid(person, app)) throw new ApiError(40003);
  const { phoneNumber: number } = world.people.get(person);
  const watermark = { timestamp: world.clock.seconds(), appid: app.appid };
  return {
    errcode: 0,
    errmsg: 'ok',
    phone_info: { phoneNumber: number, purePhoneNumber: number, countryCode: '86', watermark },
  };
}
