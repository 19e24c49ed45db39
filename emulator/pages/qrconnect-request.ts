import type { WebsiteAppState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import type { Speak } from './language.js';

/** A request for the PC's QR page that WeChat would accept. */
interface QrconnectRequest {
  readonly app: WebsiteAppState;
  readonly redirectUri: string;
  readonly scope: string;
  readonly state: string | undefined;
}

/** Reads `/connect/qrconnect`. Order is free here, and the embedded widget sends no `response_type` (protocol A.1, A.3). */
export function readQrconnectRequest(
  world: World,
  query: URLSearchParams,
  speak: Speak,
): QrconnectRequest | { readonly error: string } {
  const app = world.apps.find(query.get('appid') ?? '');
  if (!app) return { error: speak('AppID 参数错误', 'Wrong appid parameter') };
  const scopes = (query.get('scope') ?? '').split(',');
  if (app.kind !== 'website' || !scopes.includes('snsapi_login')) {
    return {
      error: speak(
        'Scope 参数错误或没有 Scope 权限',
        'Wrong scope parameter, or no permission for this scope',
      ),
    };
  }
  const redirectUri = query.get('redirect_uri') ?? '';
  if (!isAllowedRedirect(redirectUri, app.callbackDomain)) {
    return { error: speak('redirect_uri 参数错误', 'Wrong redirect_uri parameter') };
  }
  const widget = query.get('login_type') === 'jssdk' && !query.has('response_type');
  if (!widget && query.get('response_type') !== 'code') {
    return { error: speak('response_type 参数错误', 'Wrong response_type parameter') };
  }
  return { app, redirectUri, scope: 'snsapi_login', state: query.get('state') ?? undefined };
}

/** Only the host is registered and compared: paths and ports of the real address are free, those of a registration break it. */
function isAllowedRedirect(redirectUri: string, callbackDomain: string): boolean {
  if (!URL.canParse(redirectUri)) return false;
  const { protocol, hostname } = new URL(redirectUri);
  return /^https?:$/.test(protocol) && hostname === callbackDomain.toLowerCase();
}
