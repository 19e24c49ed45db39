import { isLoopback } from '../http/host-names.js';
import type { EmulatorRules } from '../rules.js';
import type { OfficialAccountState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import type { PageErrorCode } from './error-page.js';

/** A request for Official Account OAuth that WeChat would accept. */
export interface AuthorizeRequest {
  readonly app: OfficialAccountState;
  readonly redirectUri: string;
  readonly scope: 'snsapi_base' | 'snsapi_userinfo';
  readonly state: string | undefined;
  readonly forcePopup: boolean;
  readonly forceSnapshot: boolean;
}

const inOrder = ['appid', 'redirect_uri', 'response_type', 'scope', 'state'];
const longestState = 128;

/**
 * Reads `/connect/oauth2/authorize` as strictly as the rules say. A client that checks the order matches the URL itself: the
 * documented parameters come first and in the documented order, others only after them (protocol B.1, B.4).
 */
export function readAuthorizeRequest(
  world: World,
  rawQuery: string,
  userAgent: string,
): AuthorizeRequest | { readonly error: PageErrorCode } {
  const query = new URLSearchParams(rawQuery);
  const empty = firstEmpty(query, world.rules);
  if (empty !== undefined) return { error: empty };
  const app = world.apps.find(query.get('appid') ?? '');
  if (!app) return { error: 10012 };
  if (app.kind === 'website' || app.kind === 'mobile') return { error: 10016 };
  if (app.kind === 'mini' || !app.verified) return { error: 10005 };
  if (app.banned || world.migrations.isFrozen(app.appid)) return { error: 10004 };
  const scope = query.get('scope');
  const ordered = !checksOrder(world.rules, userAgent) || isOrdered(rawQuery);
  if (!ordered || query.get('response_type') !== 'code') return { error: 10005 };
  if (scope !== 'snsapi_base' && scope !== 'snsapi_userinfo') return { error: 10005 };
  const redirectUri = query.get('redirect_uri') ?? '';
  if (!isAllowedRedirect(redirectUri, app.oauthDomain)) return { error: 10003 };
  const state = query.get('state') ?? undefined;
  if (state !== undefined && !isAllowedState(state, world.rules)) return { error: 10013 };
  return {
    app,
    redirectUri,
    scope,
    state,
    forcePopup: query.get('forcePopup') === 'true',
    forceSnapshot: query.get('forceSnapShot') === 'true',
  };
}

function firstEmpty(query: URLSearchParams, { stateCharacters }: EmulatorRules): PageErrorCode | undefined {
  if (!query.get('appid')) return 10012;
  if (!query.get('redirect_uri')) return 10011;
  if (!query.get('scope')) return 10010;
  return query.get('state') === '' && stateCharacters === 'alphanumeric' ? 10013 : undefined;
}

function isAllowedState(state: string, { stateCharacters }: EmulatorRules): boolean {
  const fits = Buffer.byteLength(state) <= longestState;
  return fits && (stateCharacters === 'any' || /^[a-zA-Z0-9]*$/.test(state));
}

/** WeCom for Windows says `WindowsWechat` too and opens pages as its phone clients do. */
function checksOrder({ authorizeOrder }: EmulatorRules, userAgent: string): boolean {
  const isDesktop = /WindowsWechat|MacWechat/i.test(userAgent) && !/wxwork/i.test(userAgent);
  return authorizeOrder === 'everywhere' || (authorizeOrder === 'desktop' && isDesktop);
}

function isOrdered(rawQuery: string): boolean {
  const names = rawQuery.split('&').map((pair) => pair.split('=')[0] ?? '');
  const known = names.filter((name) => inOrder.includes(name));
  return known.every((name, index) => name === inOrder[index] && name === names[index]);
}

/** The host must be the registered one exactly; a port is refused except on loopback, where sandbox accounts work. */
function isAllowedRedirect(redirectUri: string, domain: string): boolean {
  if (!URL.canParse(redirectUri)) return false;
  const { protocol, hostname } = new URL(redirectUri);
  const hasPort = /^https?:\/\/[^/?#]*:\d/i.test(redirectUri);
  if (!/^https?:$/.test(protocol) || hostname !== domain.toLowerCase()) return false;
  return !hasPort || isLoopback(hostname);
}
