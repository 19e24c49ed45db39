/** True for an object: its members can be read by name. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The message of an error, or the thrown value as text. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Without line breaks, escape sequences and marks that reorder text: a request could forge a log line by them. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** Longer names are cut; WeChat's own limit is 32 too. */
const MAX_NAME = 32;

/**
 * A nickname or name of an application as our own sentences may quote it, or null when nothing of it is left. Its owner chose it and
 * another person reads it: it must not leave its quotes, turn the line round, or bring HTML.
 */
export function quotableName(nickname: string | null): string | null {
  const plain = (nickname ?? '').replaceAll(/[\p{C}\p{Zl}\p{Zp}<>「」『』“”"]/gu, '');
  const name = Array.from(plain).slice(0, MAX_NAME).join('').trim();
  return name === '' ? null : name;
}
