import type { Route } from '../http/router.js';
import { isWhitelisted, plainAddress } from '../http/ip-whitelist.js';
import type { AppState } from '../world/app-state.js';
import type { IssuedToken } from '../world/base-tokens.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { checkCredentials } from './app-credentials.js';
import { jsonBody, textField } from './json-body.js';

const forcedRefreshesPerDay = 20;

/** `/cgi-bin/token` and `/cgi-bin/stable_token`: base access tokens (protocol E.1). */
export function tokenRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/token', (call) => classicToken(world, call)),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/stable_token', (call) => stableToken(world, call)),
  ];
}

function classicToken(world: World, call: ApiCall): object {
  const app = authenticate(world, call);
  if (!world.quotas.use(app.appid, 'token', world.rules.tokensPerDay)) throw new ApiError(45009);
  return body(world.baseTokens.issueClassic(app.appid));
}

function stableToken(world: World, call: ApiCall): object {
  const posted = jsonBody(call);
  const app = authenticate(world, { ...call, param: (name) => textField(posted, name) });
  const forces = posted['force_refresh'] === true && !world.baseTokens.forcedJustNow(app.appid);
  if (!forces) return body(world.baseTokens.issueStable(app.appid));
  if (!world.quotas.use(app.appid, 'force_refresh', forcedRefreshesPerDay)) throw new ApiError(45009);
  return body(world.baseTokens.forceStable(app.appid));
}

function authenticate(world: World, call: ApiCall): AppState {
  const app = checkCredentials(world, call, { secret: true, required: {}, grantType: 'client_credential' });
  if (app.kind !== 'official' && app.kind !== 'mini') throw new ApiError(48001);
  const { remoteAddress } = call.incoming;
  if (app.ipWhitelist && !isWhitelisted(remoteAddress, app.ipWhitelist)) {
    const ip = plainAddress(remoteAddress);
    throw new ApiError(world.rules.ipNotAllowed, `invalid ip ${ip} ipv6 ::ffff:${ip}, not in whitelist`);
  }
  return app;
}

function body({ token, expiresIn }: IssuedToken): object {
  return { access_token: token, expires_in: expiresIn };
}
