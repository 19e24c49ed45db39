/** Where a page is shown: inside WeChat (phone or desktop), in a PC browser, or in a phone browser outside WeChat. */
export type BrowserKind = 'wechat' | 'pc' | 'phone';

/** What a User-Agent says. It is client-controlled: good for choosing a method, never for security. */
export interface Browser {
  readonly kind: BrowserKind;
  /** A web page shown by a mini program, where sign-in belongs to the mini program itself. */
  readonly miniProgramWebView: boolean;
}

/**
 * Classifies a User-Agent. WeCom also says MicroMessenger but cannot sign in for an Official Account, so it counts as
 * the PC or phone it runs on. A tablet counts as a PC: its screen can show a QR code to a phone.
 */
export function classifyBrowser(userAgent: string | undefined): Browser {
  const agent = userAgent ?? '';
  if (/MicroMessenger/i.test(agent) && !/wxwork/i.test(agent)) {
    return { kind: 'wechat', miniProgramWebView: /miniProgram/i.test(agent) };
  }
  return { kind: isPhone(agent) ? 'phone' : 'pc', miniProgramWebView: false };
}

function isPhone(agent: string): boolean {
  return /Mobi|Windows Phone|Opera Mini/i.test(agent) && !/iPad|Tablet/i.test(agent);
}
