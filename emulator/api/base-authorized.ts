import type { AppState, OfficialAccountState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import type { ApiCall } from './api-route.js';
import { ApiError } from './api-error.js';

/** The app whose base access token the call carries. */
export function baseAuthorized(world: World, { incoming }: ApiCall): AppState {
  const token = incoming.query.get('access_token') ?? '';
  if (token === '') throw new ApiError(41001);
  const result = world.baseTokens.check(token);
  if ('refused' in result) throw new ApiError(result.refused === 'expired' ? 42001 : 40001);
  const app = world.apps.find(result.appid);
  if (!app) throw new ApiError(40013);
  return app;
}

/** The same for APIs that only verified Official Accounts have. */
export function officialAuthorized(world: World, call: ApiCall): OfficialAccountState {
  const app = baseAuthorized(world, call);
  if (app.kind !== 'official' || !app.verified) throw new ApiError(48001);
  if (world.migrations.isFrozen(app.appid)) throw new ApiError(50007);
  return app;
}
