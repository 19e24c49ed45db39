/** Control characters, escape sequences among them, and marks that reorder what stands around them. */
const dangerous = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Text of strangers (a nickname, say) on one line, without what would drive the terminal. */
export function visible(text: string): string {
  return text.replace(dangerous, '\ufffd');
}

/** Text of ours, lines and all, likewise. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** JSON whose strings are harmless when a terminal shows them. */
export function visibleJson(value: unknown): string {
  const lines = JSON.stringify(value, null, 2).split('\n');
  return lines.map((line) => line.replace(dangerous, escapeOf)).join('\n');
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
