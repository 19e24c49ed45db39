import { readAsset } from '../http/html.js';

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
