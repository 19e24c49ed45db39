import type { Language } from './language.js';

const browsers = [
  ['WeCom', /\bwxwork\//],
  ['WeChat', /\bMicroMessenger\//],
  ['Edge', /\bEdgA?\//],
  ['Opera', /\bOPR\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['QQ Browser', /\bQQBrowser\//],
  ['Huawei Browser', /\bHuaweiBrowser\//],
  ['Chrome', /\b(Chrome|CriOS)\//],
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

/** A browser in words a person recognises, such as “Chrome on Windows”. The User-Agent is the browser's own claim. */
export function describeAgent(userAgent: string | null, language: Language): string {
  const find = (names: readonly (readonly [string, RegExp])[]) =>
    names.find(([, pattern]) => pattern.test(userAgent ?? ''))?.[0];
  const browser = find(browsers);
  const system = find(systems);
  if (browser === undefined && system === undefined)
    return language === 'zh' ? '未知浏览器' : 'an unknown browser';
  if (browser === undefined || system === undefined) return browser ?? system ?? '';
  return language === 'zh' ? `${system} 上的 ${browser}` : `${browser} on ${system}`;
}
