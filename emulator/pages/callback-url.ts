import type { EmulatorRules } from '../rules.js';

/** Where the browser goes with WeChat's answer. */
interface CallbackTarget {
  readonly redirectUri: string;
  readonly state: string | undefined;
}

/** A callback in two pieces, between which `code=…&` belongs. */
export interface CallbackPieces {
  readonly before: string;
  readonly after: string;
}

/**
 * The callback around its code: joined with `&` when there is a query already. The QR sign-in appends behind a
 * fragment, so that hash routes do not work (protocol A.2).
 */
export function callbackPieces({ redirectUri, state }: CallbackTarget, rules: EmulatorRules): CallbackPieces {
  const echoed = state ?? (rules.missingState === 'empty' ? '' : undefined);
  return {
    before: `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}`,
    after: echoed === undefined ? '' : `state=${encodeURIComponent(echoed)}`,
  };
}

/** The callback with its code, or without one after a refusal. */
export function callbackUrl(target: CallbackTarget, code: string | undefined, rules: EmulatorRules): string {
  const { before, after } = callbackPieces(target, rules);
  const parts = [code === undefined ? '' : `code=${code}`, after];
  return before + parts.filter((part) => part !== '').join('&');
}

/** Where the browser goes after a refusal; null when it stays (protocol A.2, I.1 of part 2). */
export function refusalUrl(target: CallbackTarget, rules: EmulatorRules): string | null {
  if (rules.deny === 'no-redirect') return null;
  return callbackUrl(target, rules.deny === 'authdeny' ? 'authdeny' : undefined, rules);
}
