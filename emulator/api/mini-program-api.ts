import { createHmac } from 'node:crypto';
import type { Route } from '../http/router.js';
import type { PersonId } from '../world/identities.js';
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
    apiRoute(answers, 'cgi-bin', '/wxa/checksession', (call) => {
      checkSession(world, call);
      return { errcode: 0, errmsg: 'ok' };
    }),
    apiRoute(answers, 'cgi-bin', '/wxa/resetusersessionkey', (call) => {
      const { person, appid } = checkSession(world, call);
      const key = world.sessionKeys.renew(person, appid);
      return { errcode: 0, errmsg: 'ok', openid: call.param('openid'), session_key: key };
    }),
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
  const person = redeemPhoneCode(world, { code: textField(posted, 'code'), appid: app.appid });
  const openid = textField(posted, 'openid');
  if (openid !== '' && openid !== world.openid(person, app))
    throw new ApiError(world.rules.phoneCodeOfAnother);
  const { phoneNumber, countryCode } = world.people.get(person);
  return {
    errcode: 0,
    errmsg: 'ok',
    phone_info: {
      phoneNumber: countryCode === '86' ? phoneNumber : `+${countryCode}${phoneNumber}`,
      purePhoneNumber: phoneNumber,
      countryCode: world.rules.phoneCountryCode === 'number' ? Number(countryCode) : countryCode,
      watermark: { timestamp: world.clock.seconds(), appid: app.appid },
    },
  };
}

/** A code that was used or has expired is as wrong as any other (protocol part 2, B.1). */
function redeemPhoneCode(
  world: World,
  { code, appid }: { readonly code: string; readonly appid: string },
): PersonId {
  const result = world.codes.redeem(code, 'phone', appid);
  if ('code' in result) return result.code.person;
  throw new ApiError(result.refused === 'foreign' ? world.rules.phoneCodeOfAnotherApp : 40029);
}

/** Whether the caller holds the current key: it signs nothing with the key's text (protocol part 2, C.2). */
function checkSession(world: World, call: ApiCall): { readonly person: PersonId; readonly appid: string } {
  const { appid } = baseAuthorized(world, call);
  if (call.incoming.method !== 'GET') throw new ApiError(43001);
  const person = world.identities.findPerson(appid, call.param('openid'));
  if (person === undefined) throw new ApiError(40003);
  if (call.param('sig_method') !== 'hmac_sha256') throw new ApiError(87008);
  const expected = createHmac('sha256', world.sessionKeys.current(person, appid)).update('').digest('hex');
  if (call.param('signature').toLowerCase() !== expected) throw new ApiError(87009);
  return { person, appid };
}
