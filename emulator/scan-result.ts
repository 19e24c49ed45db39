import type { WebPage } from './web-view/web-view.js';

/** What scanning a QR code led to. */
export type ScanResult =
  /** A sign-in on a PC; `confirm` or `deny` answers it. */
  | { readonly kind: 'login'; readonly page: WebPage }
  /** A sign-in on a PC that is over. */
  | { readonly kind: 'expired'; readonly page: WebPage }
  /** An ordinary link, opened in the web view. */
  | { readonly kind: 'page'; readonly page: WebPage };
