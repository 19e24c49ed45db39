import { escapeHtml, page, readAsset, type Page } from '../http/html.js';
import type { IamResponse } from '../http/iam-response.js';
import type { Language } from '../http/user-agent.js';

/** Longer names are cut; WeChat's own limit is 32 too. */
const MAX_LENGTH = 32;

/**
 * A nickname as our own sentences may quote it, or null when nothing of it is left. Its owner chose it and somebody else
 * reads it: it must not leave its quotes, turn the line round, or become a link in a chat.
 */
export function quotableName(nickname: string | null): string | null {
  const plain = (nickname ?? '').replaceAll(/[\p{C}\p{Zl}\p{Zp}<>「」『』“”"]/gu, '');
  const name = Array.from(plain).slice(0, MAX_LENGTH).join('').trim();
  return name === '' ? null : name;
}

/** The style of our own pages about a login; system fonts, light and dark. */
export const pageStyle = readAsset('./assets/pages.css', import.meta.url);

/** A page with a form, in the style of all pages of this folder. */
export function formPage(content: Omit<Page, 'style' | 'script' | 'framedBy'>): IamResponse {
  const response = page({ ...content, style: pageStyle });
  // With `no-referrer` a browser sends its form with `Origin: null`, which any site could have caused.
  return { ...response, headers: { ...response.headers, 'Referrer-Policy': 'same-origin' } };
}

/** What every question says about the request that it is about. */
export const factTexts = {
  zh: { site: '网站', address: '网络地址', time: '时间', unknown: '未知', zone: '{time}（北京时间）' },
  en: { site: 'Site', address: 'Address', time: 'Time', unknown: 'unknown', zone: '{time} (Beijing)' },
} as const;

/** Names, and values that are not escaped yet. */
export type Facts = (readonly [name: string, value: string])[];

/** The facts as a list in HTML. */
export function factList(facts: Facts): string {
  const rows = facts.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<dl>\n${rows.join('\n')}\n</dl>`;
}

/** A moment as the person at the page reads it. */
export function formatTime(at: Date, language: Language): string {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB';
  const time = new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'medium',
    timeZone: 'Asia/Shanghai',
  }).format(at);
  return factTexts[language].zone.replace('{time}', time);
}
