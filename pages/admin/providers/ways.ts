import type { AppKind } from './provider-fields';
import type { Provider } from './provider-types';

/** A way of signing in that a row may offer. */
export const ways = ['open', 'mp', 'follow', 'mini', 'mobile'] as const;
export type Way = (typeof ways)[number];

/** `ready` where the row has what the way needs, `incomplete` where a part is missing, `unused` where nothing is filled in. */
export type WayState = 'ready' | 'incomplete' | 'unused';

function stateOfPair(provider: Provider, kind: AppKind): WayState {
  const parts = [provider[`${kind}_app_id`] !== null, provider.secrets[`${kind}_app_secret`]];
  if (parts.every((isThere) => isThere)) return 'ready';
  return parts.some((isThere) => isThere) ? 'incomplete' : 'unused';
}

/** What the row offers, whatever WeChat says of it. */
export function stateOf(provider: Provider, way: Way): WayState {
  if (way !== 'follow') return stateOfPair(provider, way);
  if (!provider.qr_enabled) return 'unused';
  if (provider.qr_with === 'page') return stateOfPair(provider, 'mp') === 'ready' ? 'ready' : 'incomplete';
  if (provider.qr_with === 'mini') {
    const hasPage = provider.mini_approval_page !== null;
    return hasPage && stateOfPair(provider, 'mini') === 'ready' ? 'ready' : 'incomplete';
  }
  const needsKey = provider.mp_message_mode !== 'plain';
  const hasServer = provider.secrets.mp_token && (!needsKey || provider.secrets.mp_encoding_aes_key);
  const pairs = provider.qr_login_with === 'open' ? (['mp', 'open'] as const) : (['mp'] as const);
  const isReady = hasServer && pairs.every((kind) => stateOfPair(provider, kind) === 'ready');
  return isReady ? 'ready' : 'incomplete';
}
