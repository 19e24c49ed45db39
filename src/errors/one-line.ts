/** Without line breaks, escape sequences and marks that reorder text: what a request brings cannot forge a log line. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
