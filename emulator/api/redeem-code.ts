import type { AuthorizationCode } from '../world/authorization-codes.js';
import type { World } from '../world/world.js';
import { ApiError } from './api-error.js';

/** Uses a code up or says in WeChat's codes why it cannot be used (protocol K.1). */
export function redeemCode(
  world: World,
  code: string,
  use: AuthorizationCode['use'],
  appid: string,
): AuthorizationCode {
  const result = world.codes.redeem(code, use, appid);
  if ('code' in result) return result.code;
  if (result.refused === 'used') throw new ApiError(40163);
  if (result.refused === 'expired') throw new ApiError(world.rules.expiredCode);
  throw new ApiError(40029);
}
