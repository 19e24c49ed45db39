import type { AppState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import type { ApiCall } from './api-route.js';
import { ApiError } from './api-error.js';

/** Which parameters a call must have, in the order in which WeChat misses them (protocol K.2). */
interface CredentialRules {
  readonly secret: boolean;
  readonly required: Readonly<Record<string, number>>;
  readonly grantType: string;
}

/** Checks appid, secret, required parameters and grant type in WeChat's order, and names the app. */
export function checkCredentials(world: World, { param }: ApiCall, rules: CredentialRules): AppState {
  if (!param('appid')) throw new ApiError(41002);
  if (rules.secret && !param('secret')) throw new ApiError(41004);
  for (const [name, errcode] of Object.entries(rules.required)) {
    if (!param(name)) throw new ApiError(errcode);
  }
  if (param('grant_type') !== rules.grantType) throw new ApiError(40002);
  const app = world.apps.find(param('appid'));
  if (!app) throw new ApiError(40013);
  if (rules.secret && param('secret') !== app.secret) throw new ApiError(40125);
  return app;
}
