import type { Route } from '../http/router.js';
import { header, type Answer, type Incoming } from '../http/exchange.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { officialAuthorized } from './base-authorized.js';
import { jsonBody, textField, type JsonObject } from './json-body.js';

const path = '/cgi-bin/changeopenid';
const largestBatch = 100;

/** The openids of people whose Official Account moved into another one (protocol part 2, D.1). */
export function accountMigrationRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  const route = apiRoute(answers, 'cgi-bin', path, (call) => changeOpenids(world, call));
  const respond = (incoming: Incoming) =>
    world.rules.migrationOverHttp === 'redirected' && !incoming.isSecure
      ? toHttps(incoming)
      : route.respond(incoming);
  return [{ ...route, respond }];
}

/** http is answered with the https address since some year, as SDKs found out that posted to it. */
function toHttps(incoming: Incoming): Answer {
  const location = `https://${header(incoming, 'host')}${incoming.path}?${incoming.rawQuery}`;
  return { status: 301, headers: { location }, body: '' };
}

function changeOpenids(world: World, call: ApiCall): object {
  const to = officialAuthorized(world, call);
  const posted = posting(call);
  const list = posted['openid_list'];
  if (!Array.isArray(list) || list.length === 0) throw new ApiError(63182);
  if (list.length > largestBatch) throw new ApiError(world.rules.tooManyOpenids);
  const migration = world.migrations.find(textField(posted, 'from_appid'), to);
  if (migration === undefined) throw new ApiError(world.rules.migrationMissing);
  const openids: readonly unknown[] = list;
  const answer = (ori_openid: string): object => {
    const person = world.identities.findPerson(migration.from.appid, ori_openid);
    if (person === undefined || !migration.covered.has(person))
      return { ori_openid, err_msg: 'ori_openid error' };
    return { ori_openid, new_openid: world.openid(person, to), err_msg: 'ok' };
  };
  return { errcode: 0, errmsg: 'ok', result_list: openids.map((openid) => answer(String(openid))) };
}

/** A form is a list without openids to this API, not malformed JSON. */
function posting(call: ApiCall): JsonObject {
  try {
    return jsonBody(call);
  } catch (error) {
    if (error instanceof ApiError && error.errcode === 47001) throw new ApiError(63182);
    throw error;
  }
}
