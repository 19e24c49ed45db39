const browsers = [
  ['WeCom', /\bwxwork\//],
  ['WeChat', /\bMicroMessenger\//],
  ['Edge', /\bEdgA?\//],
  ['Opera', /\bOPR\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['QQ Browser', /\bQQBrowser\//],
  ['Huawei Browser', /\bHuaweiBrowser\//],
  ['Chrome', /\b(HeadlessChrome|Chrome|CriOS)\//],
  ['Safari', /\bVersion\/.*Safari\//],
] as const;

const systems = [
  ['Windows', /\bWindows NT\b/],
  ['iOS', /\b(iPhone|iPad)\b/],
  ['macOS', /\bMac OS X\b/],
  ['HarmonyOS', /\b(OpenHarmony|HarmonyOS|ArkWeb)\b/],
  ['Android', /\bAndroid\b/],
  ['Linux', /\bLinux\b/],
] as const;

/** The names of browser and system that a User-Agent claims, as far as we know them. */
export function namesOfAgent(userAgent: string | null): {
  readonly browser: string | undefined;
  readonly system: string | undefined;
} {
  const find = (names: readonly (readonly [string, RegExp])[]) =>
    names.find(([, pattern]) => pattern.test(userAgent ?? ''))?.[0];
  return { browser: find(browsers), system: find(systems) };
}

/** A browser in words a person recognises, such as “Chrome on Windows”. The User-Agent is the browser's own claim. */
export function describeAgent(userAgent: string | null, language: Language): string {
  const { browser, system } = namesOfAgent(userAgent);
  if (browser === undefined && system === undefined)
    return language === 'zh' ? '未知浏览器' : 'an unknown browser';
  if (browser === undefined || system === undefined) return browser ?? system ?? '';
  return language === 'zh' ? `${system} 上的 ${browser}` : `${browser} on ${system}`;
}

/** The languages of our own pages and texts. */
export type Language = 'zh' | 'en';

/** Its tag (BCP 47), for pages and `ui_locales`. */
export function localeOf(language: Language): 'zh-CN' | 'en' {
  return language === 'zh' ? 'zh-CN' : 'en';
}

/** The first language of `Accept-Language` that we have, by weight; Chinese when none is named. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const wanted = (acceptLanguage ?? '')
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = parameters
        .map((each) => /^\s*q=([\d.]+)$/.exec(each)?.[1])
        .find((each) => each !== undefined);
      return { tag, weight: weight === undefined ? 1 : Number(weight) };
    })
    .sort((left, right) => right.weight - left.weight);
  const known = wanted.find(({ tag }) => tag.startsWith('zh') || tag.startsWith('en'));
  return known?.tag.startsWith('en') === true ? 'en' : 'zh';
}

/** The first language of `ui_locales` (OpenID Connect Core 3.1.2.1) that we have; null when none is named. */
export function languageOfLocales(locales: unknown): Language | null {
  const tags = typeof locales === 'string' ? locales.toLowerCase().split(' ') : [];
  const known = tags.find((tag) => /^(?:zh|en)(?:-|$)/.test(tag));
  return known === undefined ? null : known.startsWith('en') ? 'en' : 'zh';
}

/** Where a page is shown: inside WeChat (phone or desktop), in a PC browser, or in a phone browser outside WeChat. */
type BrowserKind = 'wechat' | 'pc' | 'phone';

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
