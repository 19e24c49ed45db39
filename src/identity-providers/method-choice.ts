import type { IamErrorCode } from '../errors/iam.error.js';
import type { Browser } from '../wechat/browser.js';
import type { IdentityProvider } from './identity-provider.js';

/** How a browser signs in: Open Platform QR code, Official Account OAuth inside WeChat, or scan-and-follow. */
export type LoginMethod = 'open' | 'mp' | 'follow';

/** What a browser may use of a provider; `recommended` is null exactly when `problem` says why. */
export interface MethodOffer {
  readonly methods: readonly LoginMethod[];
  readonly recommended: LoginMethod | null;
  readonly problem: IamErrorCode | null;
}

/** What `method=auto` gives a browser (the table of design section 3). The User-Agent routes; it protects nothing. */
export function offerMethods(provider: IdentityProvider, browser: Browser): MethodOffer {
  switch (browser.kind) {
    case 'wechat':
      return provider.mp === null ? none('wechat_mp_not_configured') : only('mp');
    case 'phone':
      return none('browser_unsupported');
    case 'pc':
      return offerOnPc(provider);
  }
}

/** What a start asks for. */
export interface MethodAsk {
  readonly method: LoginMethod | 'auto';
  /** A confirmed scan stands behind this start. */
  readonly hasFollowed: boolean;
}

/** The method for a start: the recommended one for `auto`, else the one asked for, if the row allows it at all. */
export function chooseMethod(
  provider: IdentityProvider,
  browser: Browser,
  { method, hasFollowed }: MethodAsk,
): LoginMethod | { readonly problem: IamErrorCode } {
  if (method === 'auto') {
    const { recommended, problem } = offerMethods(provider, browser);
    return recommended ?? { problem: problem ?? 'method_unavailable' };
  }
  const problem = problemOf(provider, method, hasFollowed);
  return problem === null ? method : { problem };
}

function problemOf(
  provider: IdentityProvider,
  method: LoginMethod,
  hasFollowed: boolean,
): IamErrorCode | null {
  switch (method) {
    case 'open':
      if (provider.open === null) return 'wechat_open_not_configured';
      return provider.qr.enabled && !hasFollowed ? 'follow_required' : null;
    case 'mp':
      return provider.mp === null ? 'wechat_mp_not_configured' : null;
    case 'follow':
      if (provider.mp === null) return 'wechat_mp_not_configured';
      return provider.qr.enabled ? null : 'method_unavailable';
  }
}

function offerOnPc(provider: IdentityProvider): MethodOffer {
  if (provider.qr.enabled) return provider.mp === null ? none('wechat_mp_not_configured') : only('follow');
  return provider.open === null ? none('wechat_open_not_configured') : only('open');
}

function only(method: LoginMethod): MethodOffer {
  return { methods: [method], recommended: method, problem: null };
}

function none(problem: IamErrorCode): MethodOffer {
  return { methods: [], recommended: null, problem };
}
