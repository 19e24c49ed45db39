const maxNicknameGraphemes = 64;
const maxNicknameUnits = 512;
const maxAvatarUrlLength = 1024;

/** Lone surrogates, controls, line separators and the marks that reorder text; the joiners of emoji stay. */
const unprintable =
  /[\p{Cs}\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}\u{e0001}]/gu;
const graphemes = new Intl.Segmenter('zh', { granularity: 'grapheme' });

/**
 * A nickname that is safe to store and log on one line: at most 64 visible characters and 512 UTF-16 units, trimmed, or
 * null when nothing is left. Markup stays as it is and is escaped where it is shown.
 */
export function cleanNickname(nickname: unknown): string | null {
  if (typeof nickname !== 'string') return null;
  const clean = nickname
    .slice(0, 8 * maxNicknameUnits)
    .replace(unprintable, '')
    .trim();
  let kept = '';
  let count = 0;
  for (const { segment } of graphemes.segment(clean)) {
    if (count === maxNicknameGraphemes || kept.length + segment.length > maxNicknameUnits) break;
    kept += segment;
    count += 1;
  }
  return kept.trim() || null;
}

/** An https avatar URL, http upgraded, or null. It is never fetched here. */
export function cleanAvatarUrl(url: unknown): string | null {
  if (typeof url !== 'string' || url.length > maxAvatarUrlLength || !URL.canParse(url)) return null;
  const avatar = new URL(url);
  if (avatar.username !== '' || avatar.password !== '') return null;
  if (avatar.protocol === 'http:' && avatar.port === '' && avatar.hostname.endsWith('.qlogo.cn')) {
    avatar.protocol = 'https:';
  }
  return avatar.protocol === 'https:' && avatar.href.length <= maxAvatarUrlLength ? avatar.href : null;
}
