import type { Route } from '../http/router.js';
import type { Platform } from '../platform.js';
import { authorizeRoutes } from './authorize-page.js';
import { identityRoutes } from './phone-identity.js';
import { qrconnectRoutes } from './qrconnect-routes.js';

/** Everything on `open.weixin.qq.com`. */
export function pageRoutes(platform: Platform): readonly Route[] {
  const { world } = platform;
  return [...qrconnectRoutes(world, () => platform.origin), ...authorizeRoutes(world), ...identityRoutes()];
}
