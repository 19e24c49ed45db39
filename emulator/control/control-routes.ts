import type { Route } from '../http/router.js';
import { appRoutes } from './app-routes.js';
import { personRoutes, phoneRoutes } from './person-routes.js';
import type { Controls } from './controls.js';
import { stageRoutes } from './stage-routes.js';

/** `/_emulator/…`: the world driven by JSON over HTTP, from any language. */
export function controlRoutes(hand: Controls): readonly Route[] {
  return [...stageRoutes(hand), ...appRoutes(hand), ...personRoutes(hand), ...phoneRoutes(hand)];
}
