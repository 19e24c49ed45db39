import type { Delivery } from './push/delivery.js';
import type { WebPage } from './web-view/web-view.js';

/** What scanning a QR code led to. */
export type ScanResult =
  /** A sign-in on a PC; `confirm` or `deny` answers it. */
  | { readonly kind: 'login'; readonly page: WebPage }
  /** A code that is over. */
  | { readonly kind: 'expired' }
  /** An ordinary link, opened in the web view. */
  | { readonly kind: 'page'; readonly page: WebPage }
  /** An Official Account's profile; `follow` would follow with the code's scene. */
  | { readonly kind: 'profile'; readonly appid: string }
  /** An Official Account's chat, with the push that the scan caused; an expired code causes none. */
  | { readonly kind: 'chat'; readonly appid: string; readonly delivery?: Delivery }
  /** Anything else: the phone shows it. */
  | { readonly kind: 'text'; readonly text: string };
