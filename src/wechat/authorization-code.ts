/**
 * The authorization code in a callback; null when WeChat returned without one. Older clients return `code=authdeny` after a
 * refusal: exchanged, it would make everybody's refusal the repetition of the first one.
 */
export function readAuthorizationCode(code: unknown): string | null {
  return typeof code !== 'string' || code === '' || /^authdeny$/i.test(code) ? null : code;
}
