/** Characters that take two cells in a terminal: CJK with its punctuation, full-width forms and most emoji (UAX #11). */
const wide =
  /(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
/** What is drawn upon the character before it. */
const weightless = /^[\p{Mn}\p{Me}\u200b-\u200d\ufe0e\ufe0f]+$/u;

const segmenter = new Intl.Segmenter('zh', { granularity: 'grapheme' });

/** How many cells of a terminal a text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text))
    width += weightless.test(segment) ? 0 : wide.test(segment) || segment.includes('\ufe0f') ? 2 : 1;
  return width;
}
