import type { Route } from '../http/router.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized } from './base-authorized.js';
import { jsonBody, textField } from './json-body.js';

const clearsPerMonth = 10;

/** The platform's own addresses, and the reset of an app's daily quotas (protocol E.2, H.1). */
export function platformRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  const addresses = (call: ApiCall): object => {
    baseAuthorized(world, call);
    return { ip_list: ['127.0.0.1'] };
  };
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/get_api_domain_ip', addresses),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/getcallbackip', addresses),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/clear_quota', (call) => {
      const { appid } = baseAuthorized(world, call);
      if (textField(jsonBody(call), 'appid') !== appid) throw new ApiError(40013);
      if (!world.quotas.use(appid, 'clear_quota', clearsPerMonth, 'month')) throw new ApiError(48006);
      world.quotas.clear(appid);
      return { errcode: 0, errmsg: 'ok' };
    }),
  ];
}
